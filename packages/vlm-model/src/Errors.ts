/** What can go wrong with a model directory, its tokenizer, images, videos and conversations. */
import * as Schema from "effect/Schema"

const list = (names: ReadonlyArray<string>): string => (names.length === 0 ? "nothing" : names.join(", "))

/** A directory has no tokenizer files. */
export class TokenizerMissing extends Schema.TaggedError<TokenizerMissing>("@speedq/vlm-model/TokenizerMissing")(
  "TokenizerMissing",
  { directory: Schema.String, lookedFor: Schema.Array(Schema.String), found: Schema.Array(Schema.String) }
) {
  override get message(): string {
    return `${this.directory}: no tokenizer; looked for ${this.lookedFor.join(" or ")}, the directory has ${list(this.found)}`
  }
}

/** A tokenizer file that is damaged, contradicts another one, or describes another kind of tokenizer. */
export class TokenizerInvalid extends Schema.TaggedError<TokenizerInvalid>("@speedq/vlm-model/TokenizerInvalid")(
  "TokenizerInvalid",
  { file: Schema.String, reason: Schema.String }
) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** The tokenizer lacks tokens that InternVL3 needs. */
export class SpecialTokenMissing extends Schema.TaggedError<SpecialTokenMissing>(
  "@speedq/vlm-model/SpecialTokenMissing"
)("SpecialTokenMissing", { tokens: Schema.Array(Schema.String) }) {
  override get message(): string {
    return `the tokenizer has no token ${this.tokens.join(" and no ")}; use the files of an InternVL3 directory (added_tokens.json)`
  }
}

/** An image that cannot be read: damaged, empty, or of a format that is not supported. */
export class ImageInvalid extends Schema.TaggedError<ImageInvalid>("@speedq/vlm-model/ImageInvalid")("ImageInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** sharp, which decodes and encodes pictures, is not installed or does not run here. */
export class ImageCodecMissing extends Schema.TaggedError<ImageCodecMissing>("@speedq/vlm-model/ImageCodecMissing")(
  "ImageCodecMissing",
  { install: Schema.String, reason: Schema.String }
) {
  override get message(): string {
    return `pictures need the package sharp, which cannot be loaded (${this.reason}); ${this.install}`
  }
}

/** An image with so many pixels that it is more likely an attack than a picture. */
export class ImageTooLarge extends Schema.TaggedError<ImageTooLarge>("@speedq/vlm-model/ImageTooLarge")(
  "ImageTooLarge",
  {
    file: Schema.String,
    width: Schema.Int,
    height: Schema.Int,
    maxPixels: Schema.Int
  }
) {
  override get message(): string {
    return `${this.file}: ${this.width} x ${this.height} pixels are more than ${this.maxPixels}; shrink it or raise maxPixels`
  }
}

/** A video that cannot be read, or has too few frames for what is asked of it. */
export class VideoInvalid extends Schema.TaggedError<VideoInvalid>("@speedq/vlm-model/VideoInvalid")("VideoInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** A video container that needs ffmpeg, which is not on the PATH. */
export class FfmpegMissing extends Schema.TaggedError<FfmpegMissing>("@speedq/vlm-model/FfmpegMissing")(
  "FfmpegMissing",
  {
    file: Schema.String,
    command: Schema.String
  }
) {
  override get message(): string {
    return (
      `${this.file}: reading this video needs ffmpeg, and there is no ${this.command} on the PATH; ` +
      "install it (Debian: apt-get install ffmpeg), or give a folder of frames or an animated GIF or WebP instead"
    )
  }
}

/** A prompt that cannot be rendered. */
export class PromptInvalid extends Schema.TaggedError<PromptInvalid>("@speedq/vlm-model/PromptInvalid")(
  "PromptInvalid",
  {
    reason: Schema.String
  }
) {
  override get message(): string {
    return this.reason
  }
}

const place = (error: { readonly file: string; readonly line?: number }): string =>
  error.line === undefined ? error.file : `${error.file}:${error.line}`

/** A data file that breaks its format: a meta file, or one line (counted from 1) of an annotation file. */
export class DatasetInvalid extends Schema.TaggedError<DatasetInvalid>("@speedq/vlm-model/DatasetInvalid")(
  "DatasetInvalid",
  {
    file: Schema.String,
    line: Schema.optionalKey(Schema.Int),
    reason: Schema.String
  }
) {
  override get message(): string {
    return `${place(this)}: ${this.reason}`
  }
}

/**
 * What is wrong with a record: a control token in its text, what it shows, `<image>` or `<video>` that do not match that, a picture
 * or video that is missing or cannot be read, the order of its turns, or its length.
 */
const RecordFault = Schema.Literals([
  "control token",
  "what it shows",
  "placeholders",
  "missing file",
  "unreadable file",
  "turns",
  "length"
])
export type RecordFault = typeof RecordFault.Type

/** A well-formed record that cannot become a training sample. */
export class SampleRejected extends Schema.TaggedError<SampleRejected>("@speedq/vlm-model/SampleRejected")(
  "SampleRejected",
  {
    file: Schema.String,
    line: Schema.Int,
    fault: RecordFault,
    reason: Schema.String
  }
) {
  override get message(): string {
    return `${place(this)}: sample rejected: ${this.reason}`
  }
}
