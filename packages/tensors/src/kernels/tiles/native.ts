import { type NativeBody, shared, writing } from "../../backends/native/NativeBody.ts"
import { elementBytes } from "../../core/DType.ts"
import type { TileAttributes, UntileAttributes } from "./geometry.ts"

export const native: NativeBody<"x", "tiles", TileAttributes> = (
  engine,
  { inputs: { x }, outputs: { tiles }, attributes: { together, width, steps, repeat = 1, dtype } }
) => {
  const [rows, columns] = x.shape as readonly [number, number]
  const bytes = elementBytes(dtype)
  engine.rows({
    entry: "tileRows",
    rows: tiles.shape[0]!,
    operands: [shared(x), writing(tiles, bytes * steps * together * width)],
    scalars: [rows, columns, steps, together, width, repeat, bytes]
  })
}

export const nativeUntile: NativeBody<"tiles", "y", UntileAttributes> = (
  engine,
  { inputs: { tiles }, outputs: { y }, attributes: { rows, columns, dtype } }
) => {
  const [, steps, together, width] = tiles.shape as readonly [number, number, number, number]
  const bytes = elementBytes(dtype)
  engine.rows({
    entry: "untileRows",
    rows,
    operands: [shared(tiles), writing(y, bytes * columns)],
    scalars: [columns, steps, together, width, bytes]
  })
}
