import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { AdaroundWeightAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { weight, scale, zero, alpha }, outputs: { y }, attributes }) => {
  const { bits, group, hard } = attributes as AdaroundWeightAttributes
  engine.rows({
    entry: "adaroundWeight",
    rows: sizeOf(scale!.shape),
    operands: [
      reading(weight, 4 * group),
      reading(scale, 4),
      reading(zero, 4),
      reading(alpha, 4 * group),
      writing(y, 4 * group)
    ],
    scalars: [group, 2 ** bits - 1, hard ? 1 : 0]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs, outputs: { dalpha }, attributes }) => {
  const { dy, weight, scale, zero, alpha } = inputs
  const { bits, group } = attributes as AdaroundWeightAttributes
  engine.rows({
    entry: "adaroundWeightGradient",
    rows: sizeOf(scale!.shape),
    operands: [
      reading(dy, 4 * group),
      reading(weight, 4 * group),
      reading(scale, 4),
      reading(zero, 4),
      reading(alpha, 4 * group),
      writing(dalpha, 4 * group)
    ],
    scalars: [group, 2 ** bits - 1]
  })
}
