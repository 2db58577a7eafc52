import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { asMatrix } from "../../Shape.ts"

function sum(this: Thread, residual: Values, x: Values, scale: Values) {
  return (
    residual[this.thread.y * this.constants.columns + this.thread.x] +
    x[this.thread.y * this.constants.columns + this.thread.x] * scale[this.thread.x]
  )
}

function scaled(this: Thread, dy: Values, scale: Values) {
  return dy[this.thread.y * this.constants.columns + this.thread.x] * scale[this.thread.x]
}

function columnSumOfProducts(this: Thread, dy: Values, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.rows; i++) {
    sum += dy[i * this.constants.columns + this.thread.x] * x[i * this.constants.columns + this.thread.x]
  }
  return sum
}

export const gpujs: GpujsBody<"residual" | "x" | "scale", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        output: "y",
        compute: sum,
        reads: ["residual", "x", "scale"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

export const gpujsGradient: GpujsBody<"x" | "scale" | "dy", "dx" | "dscale"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      { output: "dx", compute: scaled, reads: ["dy", "scale"], constants: { columns }, extent: [columns, rows] },
      {
        output: "dscale",
        compute: columnSumOfProducts,
        reads: ["dy", "x"],
        constants: { columns },
        sizes: { rows },
        extent: [columns]
      }
    ]
  }
}
