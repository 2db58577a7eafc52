import { type NativeBody, reading, scattered, shared, writing } from "../../backends/native/NativeBody.ts"
import { type PatchesAttributes, patchesSize } from "./geometry.ts"

export const native: NativeBody<"x", "y", PatchesAttributes> = (
  engine,
  { inputs: { x }, outputs: { y }, attributes }
) => {
  const { patch, inverse } = attributes
  const { tiles, channels, grid } = patchesSize(x.shape, attributes)
  const stripBytes = 4 * grid * channels * patch * patch
  engine.rows({
    entry: "patches",
    rows: tiles * grid,
    operands: inverse ? [scattered(y), reading(x, stripBytes)] : [shared(x), writing(y, stripBytes)],
    scalars: [channels, grid, patch, inverse ? 1 : 0],
    workPerRow: 2 * stripBytes
  })
}
