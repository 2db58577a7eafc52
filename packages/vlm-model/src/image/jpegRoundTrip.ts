/** Augmentation of the reference's training (`data_augment`): the image as it looks after JPEG compression. */
import * as Effect from "effect/Effect"
import sharp from "sharp"
import type { ImageInvalid } from "../Errors.ts"
import { type DecodeImageError, decodeImage } from "./decodeImage.ts"
import type { RgbImage } from "./RgbImage.ts"

/** Compresses at `quality` (1 to 100) with halved chroma, and decodes again. */
export const jpegRoundTrip = Effect.fnUntraced(function* (
  image: RgbImage,
  quality: number
): Effect.fn.Return<RgbImage, DecodeImageError | ImageInvalid> {
  const { width, height, data } = image
  const bytes = yield* Effect.promise(() =>
    sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality, chromaSubsampling: "4:2:0" })
      .toBuffer()
  )
  return yield* decodeImage(bytes, { name: "JPEG augmentation" })
})
