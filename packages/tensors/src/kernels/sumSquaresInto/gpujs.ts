import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../../backends/gpujs/reductions.ts"
import { sizeOf } from "../../Shape.ts"

function sumOfSquares(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += x[i * this.constants.parts + this.thread.x] * x[i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

function sum(this: Thread, total: Values, squares: Values) {
  return total[this.thread.x] + squares[this.thread.x]
}

export const gpujs: GpujsBody<"x" | "total", never> = {
  programs: ({ inputs }) => [
    ...sumAll({ output: "squares", part: sumOfSquares, reads: ["x"] }, sizeOf(inputs.x)),
    elementwise("total", sum, ["total", "squares"], inputs.total)
  ]
}
