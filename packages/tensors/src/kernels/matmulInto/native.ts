import type { NativeBody } from "../../backends/native/NativeBody.ts"
import { type MatmulAttributes, productSize } from "../matmul/geometry.ts"

export const native: NativeBody = (engine, { inputs: { a, b, target }, attributes }) => {
  const { transposeA, transposeB } = attributes as MatmulAttributes
  const { sharedB, ...size } = productSize("matmulInto", a!.shape, b!.shape, attributes as MatmulAttributes)
  engine.product({
    ...size,
    a: { operand: a!, transposed: transposeA },
    b: { operand: b!, transposed: transposeB, sharedByBatch: sharedB },
    c: target!,
    accumulate: true
  })
}
