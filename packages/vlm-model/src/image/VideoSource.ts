/** A video as numbered frames, wherever they come from. */
import type * as Effect from "effect/Effect"
import type { FfmpegMissing, VideoInvalid } from "../Errors.ts"
import type { DecodeImageError, PictureLimits } from "./decodeImage.ts"
import type { RgbImage } from "./RgbImage.ts"

export type VideoError = DecodeImageError | VideoInvalid | FfmpegMissing

export interface VideoSource {
  readonly file: string
  readonly frames: number
  /** Undefined for a folder of images, which knows no time. */
  readonly framesPerSecond: number | undefined
  /**
   * Decodes the frames of ascending indices, which may repeat, and hands each to `show` at once, so that no more than
   * one full-size frame is held. The results are in the order of the indices.
   */
  readonly read: <A>(
    indices: ReadonlyArray<number>,
    show: (frame: RgbImage) => A
  ) => Effect.Effect<ReadonlyArray<A>, VideoError>
}

export interface OpenVideoOptions extends PictureLimits {
  /** Name or path of the ffmpeg program. Default "ffmpeg", looked for on the PATH. */
  readonly ffmpeg?: string | undefined
}
