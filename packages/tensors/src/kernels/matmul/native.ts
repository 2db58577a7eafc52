import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { type MatmulAttributes, productSize } from "./geometry.ts"

export const native: NativeBody<"a" | "b", "y", MatmulAttributes> = (
  engine,
  { inputs: { a, b }, outputs: { y }, attributes }
) => {
  const { transposeA, transposeB, arithmetic } = attributes
  const { sharedB, ...size } = productSize("matmul", a.shape, b.shape, attributes)
  engine.product({
    ...size,
    arithmetic,
    a: { operand: a, transposed: transposeA },
    b: { operand: b, transposed: transposeB, sharedByBatch: sharedB },
    c: y
  })
}
