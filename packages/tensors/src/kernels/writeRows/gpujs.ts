import type { GpujsBody } from "../../backends/gpujs/GpujsBody.ts"
import { replaced, sourceProgram } from "../replaceRows/gpujs.ts"
import { expectDistinctRows } from "../shapeRules.ts"

export const gpujs: GpujsBody<"target" | "rows" | "index", never> = {
  check: ({ index }, { inputs }) => expectDistinctRows("writeRows", "index", index, inputs.target[0]!),
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.target as readonly [number, number]
    return [
      sourceProgram(rows, inputs.index[0]!),
      {
        output: "target",
        compute: replaced,
        reads: ["target", "rows", "source"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}
