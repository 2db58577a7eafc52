/** What turns records into training samples needs to know. */
import type { PictureLimits } from "../image/decodeImage.ts"
import type { ImageSettings } from "../image/preprocess.ts"
import type { FrameSampling } from "../image/sampleFrames.ts"
import type { DataQuirks } from "./DataQuirks.ts"
import type { EncodeOptions } from "./encodeConversation.ts"

export interface VideoSettings {
  /** The number of frames is drawn between these, both included: 8 and 32 in the reference. */
  readonly minFrames: number
  readonly maxFrames: number
  readonly sampling: FrameSampling
  /** For clips of folders of frames, which know no time. */
  readonly framesPerSecond?: number
  /** Name or path of the ffmpeg program. Default "ffmpeg". */
  readonly ffmpeg?: string | undefined
}

/** `maxLength` is 8192 in the reference, `image.maxTiles` 6. */
export interface SampleSettings extends EncodeOptions, PictureLimits {
  readonly image: ImageSettings
  readonly video: VideoSettings
  readonly quirks: DataQuirks
}

/** Where a record comes from. */
export interface RecordOrigin {
  /** The annotation file and its line, counted from 1: what errors name. */
  readonly file: string
  readonly line: number
  /** What the record's paths are relative to. */
  readonly root: string
  /** Compresses every tile as JPEG first, at a random quality. */
  readonly dataAugment: boolean
  /** Overrides the settings' largest number of tiles. */
  readonly maxTiles?: number | undefined
}

/** The reference's settings of Pillow: no limit, and what is there of files that are cut off. */
export const referencePictures: PictureLimits = { maxPixels: Number.POSITIVE_INFINITY, truncated: "load" }

/** The reference's values for videos. */
export const referenceVideo: VideoSettings = { minFrames: 8, maxFrames: 32, sampling: "rand" }
