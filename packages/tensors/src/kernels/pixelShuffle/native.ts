import { type NativeBody, reading, scattered, shared, writing } from "../../backends/native/NativeBody.ts"
import { type PixelShuffleAttributes, shuffleSize } from "./geometry.ts"

export const native: NativeBody<"x", "y", PixelShuffleAttributes> = (
  engine,
  { inputs: { x }, outputs: { y }, attributes }
) => {
  const { factor, version, inverse } = attributes
  const { tiles, height, width, channels } = shuffleSize(x.shape, attributes)
  const cellBytes = 4 * factor * factor * channels
  engine.rows({
    entry: "pixelShuffle",
    rows: tiles * height * width,
    operands: inverse ? [scattered(y), reading(x, cellBytes)] : [shared(x), writing(y, cellBytes)],
    scalars: [height, width, channels, factor, version === "v1" ? 1 : 0, inverse ? 1 : 0],
    workPerRow: 2 * cellBytes
  })
}
