import type { Factor } from "../../core/Arithmetic.ts"
import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type MatmulAttributes, productSize } from "./geometry.ts"

/** y[m, n] = sum over k of a[m, k] b[k, n], batch by batch. */
export const reference = (
  { a, b }: Arrays<"a" | "b">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"a" | "b", "y">,
  attributes: MatmulAttributes,
  factorOf: Factor
): void => {
  const factor: Factor = attributes.arithmetic === "f32" ? (value) => value : factorOf
  const { batch, sharedB, m, k, n } = productSize("matmul", inputs.a, inputs.b, attributes)
  const [rowA, columnA] = attributes.transposeA ? [1, m] : [k, 1]
  const [rowB, columnB] = attributes.transposeB ? [1, k] : [n, 1]
  for (let item = 0; item < batch; item++) {
    const startA = item * m * k
    const startB = sharedB ? 0 : item * k * n
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0
        for (let i = 0; i < k; i++)
          sum += factor(a[startA + row * rowA + i * columnA]!) * factor(b[startB + i * rowB + column * columnB]!)
        y[(item * m + row) * n + column] = sum
      }
    }
  }
}
