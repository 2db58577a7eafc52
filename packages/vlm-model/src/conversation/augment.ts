/** The reference's data augmentation: JPEG compression at a random quality. */
import * as Effect from "effect/Effect"
import type { DecodeImageError } from "../image/decodeImage.ts"
import { jpegRoundTrip } from "../image/jpegRoundTrip.ts"
import type { RgbImage } from "../image/RgbImage.ts"
import type { Tiles } from "../image/tiling.ts"
import { type RandomSource, uniformBetween } from "../model/RandomSource.ts"

const lowestQuality = 75
const highestQuality = 100

export const augmentImage = (image: RgbImage, random: RandomSource): Effect.Effect<RgbImage, DecodeImageError> =>
  jpegRoundTrip(image, uniformBetween(random, lowestQuality, highestQuality))

/** Every tile at a quality of its own. */
export const augmentTiles = Effect.fnUntraced(function* (
  tiles: Tiles,
  random: RandomSource
): Effect.fn.Return<Tiles, DecodeImageError> {
  const data = new Uint8Array(tiles.data.length)
  const bytes = tiles.size * tiles.size * 3
  for (let at = 0; at < data.length; at += bytes) {
    const tile = { width: tiles.size, height: tiles.size, data: tiles.data.subarray(at, at + bytes) }
    data.set((yield* augmentImage(tile, random)).data, at)
  }
  return { ...tiles, data }
})
