import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { type MatmulAttributes, type ProductSize, productSize } from "./geometry.ts"

/** y[batch, row, column] = sum over i of a[batch, row, i] b[batch, i, column], either operand stored transposed. */
function product(this: Thread, a: Values, b: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.k; i++) {
    sum +=
      a[this.thread.z * this.constants.batchA + this.thread.y * this.constants.rowA + i * this.constants.columnA] *
      b[this.thread.z * this.constants.batchB + i * this.constants.rowB + this.thread.x * this.constants.columnB]
  }
  return sum
}

/**
 * The program of a b, for whatever output. Widths are compiled in; a transposed a is the gradient of a weight, which sums over
 * as many rows as there are tokens.
 */
export const productProgram = (
  output: string,
  { batch, sharedB, m, k, n }: ProductSize,
  { transposeA, transposeB }: MatmulAttributes
): GpujsProgram => ({
  output,
  compute: product,
  reads: ["a", "b"],
  constants: {
    rowA: transposeA ? 1 : k,
    columnA: transposeA ? m : 1,
    rowB: transposeB ? 1 : n,
    columnB: transposeB ? k : 1,
    ...(transposeA ? {} : { k })
  },
  sizes: { batchA: m * k, batchB: sharedB ? 0 : k * n, ...(transposeA ? { k } : {}) },
  extent: [n, m, batch]
})

export const gpujs: GpujsBody<"a" | "b", "y", MatmulAttributes> = {
  programs: ({ inputs }, attributes) => [
    productProgram("y", productSize("matmul", inputs.a, inputs.b, attributes), attributes)
  ]
}
