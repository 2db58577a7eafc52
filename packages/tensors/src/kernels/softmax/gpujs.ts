import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { power } from "../../backends/gpujs/numbers.ts"
import { mostOfRows, sumRows } from "../../backends/gpujs/reductions.ts"
import { asMatrix } from "../../Shape.ts"

/** Sum of exp(x - most) of one part of a row. */
export function sumOfPowers(this: Thread, x: Values, most: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += power(
        x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] - most[this.thread.y]
      )
    }
  }
  return sum
}

function probability(this: Thread, x: Values, most: Values, total: Values) {
  return power(x[this.thread.y * this.constants.columns + this.thread.x] - most[this.thread.y]) / total[this.thread.y]
}

function sumOfProducts(this: Thread, y: Values, dy: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum +=
        y[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] *
        dy[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

function slope(this: Thread, y: Values, dy: Values, inner: Values) {
  return (
    y[this.thread.y * this.constants.columns + this.thread.x] *
    (dy[this.thread.y * this.constants.columns + this.thread.x] - inner[this.thread.y])
  )
}

export const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      ...mostOfRows("most", "x", { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: ["x", "most"], rows, columns, helpers: [power] }),
      {
        output: "y",
        compute: probability,
        reads: ["x", "most", "total"],
        constants: { columns },
        extent: [columns, rows],
        helpers: [power]
      }
    ]
  }
}

export const gpujsGradient: GpujsBody<"y" | "dy", "dx"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.y)
    return [
      ...sumRows({ output: "inner", part: sumOfProducts, reads: ["y", "dy"], rows, columns }),
      { output: "dx", compute: slope, reads: ["y", "dy", "inner"], constants: { columns }, extent: [columns, rows] }
    ]
  }
}
