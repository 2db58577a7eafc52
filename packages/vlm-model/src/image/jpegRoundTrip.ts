/** Augmentation of the reference's training (`data_augment`): the image as it looks after JPEG compression. */
import * as Effect from "effect/Effect"
import { type DecodeImageError, decodeImage } from "./decodeImage.ts"
import { encodeJpeg } from "./encodeImage.ts"
import type { RgbImage } from "./RgbImage.ts"

/** Compresses at `quality` (1 to 100) with halved chroma, and decodes again. */
export const jpegRoundTrip = Effect.fnUntraced(function* (
  image: RgbImage,
  quality: number
): Effect.fn.Return<RgbImage, DecodeImageError> {
  return yield* decodeImage(yield* encodeJpeg(image, quality), {
    name: "JPEG augmentation",
    maxPixels: Number.POSITIVE_INFINITY
  })
})
