import { type NativeBody, reading, scattered, shared } from "../../backends/native/NativeBody.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

/** Rows that are computed at once. */
const rowsTogether = 4

/**
 * For each byte of four codes of 2 bits, the bytes of the four f32 of a table that they name. No static data of the kernels,
 * which a thread clears when it takes a memory into use.
 */
const places = (): Float32Array => {
  const bytesOfEntry = (entry: number) => 0x03020100 + 0x04040404 * entry
  return new Float32Array(
    Uint32Array.from({ length: 4 * 256 }, (_, i) => bytesOfEntry(((i >> 2) >> (2 * (i & 3))) & 3)).buffer
  )
}

export const native: NativeBody<"x" | "codes" | "scale" | "zero", "y", LinearCodesAttributes, "bias"> = (
  engine,
  { inputs, outputs: { y }, attributes }
) => {
  const { x, codes, scale, zero, bias } = inputs
  const { bits } = attributes
  const shapes = { x: x.shape, codes: codes.shape, scale: scale.shape, zero: zero.shape }
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
      bias && shared(bias),
      scattered(y),
      bits === 2 ? shared(engine.table("linearCodes", places)) : undefined
    ],
    scalars: [m, k, n, group, bits]
  })
}
