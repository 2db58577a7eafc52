import { type NativeBody, reading, scattered, shared } from "../../backends/native/NativeBody.ts"
import { storedType } from "../../backends/native/thread/storedType.ts"
import { elementBytes } from "../../core/DType.ts"
import { fewRowsOfCodes, type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

/** Rows and columns that are as much work as a byte that is moved. */
const codesOfByte = 4
/** Work of one part: each lays x anew. */
const partBytes = 2 ** 20

export const native: NativeBody<"x" | "codes" | "grid" | "origin", "y", LinearCodesAttributes, "step" | "bias"> = (
  engine,
  { inputs, outputs: { y }, attributes }
) => {
  const { x, codes, grid, origin, step, bias } = inputs
  const shapes = { x: x.shape, codes: codes.shape, grid: grid.shape, origin: origin.shape, step: step?.shape }
  const { m, n, k, group, tiles, chunks, steps, sharing } = linearCodesExtents(shapes, attributes)
  const { bits, activations } = attributes
  if (activations === "f32" && m > fewRowsOfCodes) {
    engine.product({
      arithmetic: "f32",
      batch: 1,
      m,
      n,
      k,
      a: { operand: x, transposed: false },
      b: {
        operand: codes,
        transposed: true,
        sharedByBatch: true,
        decoder: { grid, origin, step, group, bits, sharing }
      },
      c: y,
      bias
    })
    return
  }
  engine.rows({
    entry: "dotCodes",
    rows: tiles,
    workPerRow: (4 * m * k) / codesOfByte,
    partBytes,
    scratch: true,
    operands: [
      reading(codes, 64 * chunks),
      reading(grid, 4 * steps),
      step ? shared(origin) : reading(origin, 4 * elementBytes(origin.dtype) * steps),
      step && shared(step),
      shared(x),
      bias && shared(bias),
      scattered(y)
    ],
    scalars: [m, k, n, group, bits, sharing, activations === "int8" ? 1 : 0, storedType[origin.dtype]]
  })
}
