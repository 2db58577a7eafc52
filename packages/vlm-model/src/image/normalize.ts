/** Pixels as the vision tower takes them: value/255, minus the mean, over the standard deviation, per channel. */
import type { Tiles } from "./tiling.ts"

/** Per channel, red, green, blue, of values between 0 and 1. */
export interface PixelStatistics {
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** What InternVL3 was trained with. */
export const imagenetStatistics: PixelStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

/** Normalizes tiles [T, S, S, 3] to [T, 3, S, S]. Each step is rounded to float32, as the reference computes it. */
export const normalizeTiles = (tiles: Tiles, { mean, std }: PixelStatistics): Float32Array => {
  const area = tiles.size * tiles.size
  const pixels = new Float32Array(tiles.count * 3 * area)
  const f = Math.fround
  for (let channel = 0; channel < 3; channel++) {
    const table = Float32Array.from({ length: 256 }, (_, v) => f(f(v / 255) - f(mean[channel]!)) / f(std[channel]!))
    for (let tile = 0; tile < tiles.count; tile++) {
      const to = (tile * 3 + channel) * area
      let from = tile * area * 3 + channel
      for (let i = 0; i < area; i++, from += 3) pixels[to + i] = table[tiles.data[from]!]!
    }
  }
  return pixels
}
