import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { asMatrix, sizeOf } from "../../Shape.ts"

function sum(this: Thread, a: Values, b: Values) {
  return a[this.thread.y * this.constants.rest + this.thread.x] + b[this.thread.x]
}

/** Rows in order, in chunks, so that the error of f32 does not grow with all of them. */
function columnSum(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.chunks; i++) {
    let part = 0
    for (let j = 0; j < 64; j++) {
      if (i * 64 + j < this.constants.rows) {
        part += x[(i * 64 + j) * this.constants.columns + this.thread.x]
      }
    }
    sum += part
  }
  return sum
}

export const gpujs: GpujsBody<"a" | "b", "y"> = {
  programs: ({ inputs }) => {
    const rest = sizeOf(inputs.b)
    return [{ output: "y", compute: sum, reads: ["a", "b"], constants: { rest }, extent: [rest, inputs.a[0]!] }]
  }
}

export const gpujsColumnSums: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    const chunks = Math.ceil(rows / 64)
    return [
      {
        output: "y",
        compute: columnSum,
        reads: ["x"],
        constants: { columns },
        sizes: { rows, chunks },
        extent: [columns]
      }
    ]
  }
}
