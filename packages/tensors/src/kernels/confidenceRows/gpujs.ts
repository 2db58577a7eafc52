import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { power } from "../../backends/gpujs/numbers.ts"
import { mostOfRows, sumRows } from "../../backends/gpujs/reductions.ts"
import { sumOfPowers } from "../softmax/gpujs.ts"

/** 1 / total, and NaN where the total is 0: of a row of -infinity. */
function inverse(this: Thread, total: Values) {
  return total[this.thread.x] / (total[this.thread.x] * total[this.thread.x])
}

export const gpujs: GpujsBody<"logits", "confidence"> = {
  programs: ({ inputs, outputs }) => {
    const [rows, columns] = inputs.logits as readonly [number, number]
    return [
      ...mostOfRows("most", "logits", { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: ["logits", "most"], rows, columns, helpers: [power] }),
      elementwise("confidence", inverse, ["total"], outputs.confidence)
    ]
  }
}
