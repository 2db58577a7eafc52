import { type NativeBody, reading, scattered, shared } from "../../backends/native/NativeBody.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

/** Rows that are computed at once. */
const rowsTogether = 4

export const native: NativeBody = (engine, { inputs, outputs: { y }, attributes }) => {
  const { x, codes, scale, zero, bias } = inputs
  const { bits } = attributes as LinearCodesAttributes
  const shapes = { x: x!.shape, codes: codes!.shape, scale: scale!.shape, zero: zero!.shape }
  const { m, n, k, group } = linearCodesExtents(shapes, { bits })
  const gridBytes = (4 * k) / group
  engine.rows({
    entry: "dotCodes",
    rows: n,
    together: rowsTogether,
    // A code is as much work as a byte that is moved.
    workPerRow: m * k,
    operands: [
      reading(codes, (k * bits) / 8),
      reading(scale, gridBytes),
      reading(zero, gridBytes),
      shared(x),
      shared(bias),
      scattered(y)
    ],
    scalars: [m, k, n, group, bits]
  })
}
