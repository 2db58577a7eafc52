import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sizeOf } from "../../core/Shape.ts"
import { expectRows } from "../operands/shapeRules.ts"
import { sourceProgram } from "../replaceRows/gpujs.ts"
import type { ScatterAttributes } from "./geometry.ts"

function gathered(this: Thread, table: Values, index: Values) {
  const row = index[this.thread.y]
  return table[(row | 0) * this.constants.columns + this.thread.x]
}

/** Only rows that the index names, from the first entry that does, have anything to add up. */
function scattered(this: Thread, rows: Values, index: Values, source: Values) {
  let sum = 0
  if (source[this.thread.y] >= 0) {
    for (let i = 0; i < this.constants.count; i++) {
      if (index[i] === this.thread.y) {
        sum += rows[i * this.constants.columns + this.thread.x]
      }
    }
  }
  return sum
}

export const gpujsGather: GpujsBody<"table" | "index", "y"> = {
  check: ({ index }, { inputs }) => expectRows("gatherRows", "index", index, inputs.table[0]!),
  programs: ({ inputs }) => {
    const columns = inputs.table[1]!
    return [
      {
        output: "y",
        compute: gathered,
        reads: ["table", "index"],
        constants: { columns },
        extent: [columns, sizeOf(inputs.index)]
      }
    ]
  }
}

export const gpujsScatterAdd: GpujsBody<"rows" | "index", "y", ScatterAttributes> = {
  check: ({ index }, _geometry, { count }) => expectRows("scatterAddRows", "index", index, count),
  programs: ({ inputs, outputs }) => {
    const [rows, columns] = outputs.y as readonly [number, number]
    const count = sizeOf(inputs.index)
    return [
      sourceProgram(rows, count),
      {
        output: "y",
        compute: scattered,
        reads: ["rows", "index", "source"],
        constants: { columns },
        sizes: { count },
        extent: [columns, rows]
      }
    ]
  }
}
