/** Pictures as files: JPEG as training data are augmented with, PNG as reports show them. */
import * as Effect from "effect/Effect"
import type { ImageCodecMissing } from "../Errors.ts"
import { loadSharp } from "./loadSharp.ts"
import type { RgbImage } from "./RgbImage.ts"

const opened = ({ data, width, height }: RgbImage) =>
  Effect.map(loadSharp, (sharp) => sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false }))

/** JPEG at `quality` (1 to 100) with halved chroma. Fails with ImageCodecMissing. */
export const encodeJpeg = (image: RgbImage, quality: number): Effect.Effect<Uint8Array, ImageCodecMissing> =>
  Effect.flatMap(opened(image), (sharp) =>
    Effect.promise(() => sharp.jpeg({ quality, chromaSubsampling: "4:2:0" }).toBuffer())
  )

/** PNG, made smaller where a side is longer than `side` pixels. Fails with ImageCodecMissing. */
export const encodePng = (image: RgbImage, side: number): Effect.Effect<Uint8Array, ImageCodecMissing> =>
  Effect.flatMap(opened(image), (sharp) =>
    Effect.promise(() => sharp.resize(side, side, { fit: "inside", withoutEnlargement: true }).png().toBuffer())
  )
