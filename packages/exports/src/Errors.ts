/** What can go wrong when a model is written for use elsewhere. */
import { didYouMean, FileFailed, fixFor } from "@speedq/formats"
import * as Schema from "effect/Schema"

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** An export could not be written. `cause` is the system's own error, or says what is wrong. */
export class ExportNotWritten extends Schema.TaggedError<ExportNotWritten>()("ExportNotWritten", {
  directory: Schema.String,
  cause: Schema.Unknown,
  /** What to do about it; left out where the cause says that, too. */
  fix: Schema.optionalKey(Schema.String)
}) {
  /** What happened, without where. */
  get reason(): string {
    // Errors of this repository say by themselves what to do.
    const fix = this.fix ?? (this.cause instanceof FileFailed ? undefined : fixFor(this.cause))
    return fix === undefined ? messageOf(this.cause) : `${messageOf(this.cause)}; ${fix}`
  }
  override get message(): string {
    return `the export could not be written into ${this.directory}: ${this.reason}`
  }
}

/** The files of a directory cannot be compared with what an export wrote: nothing says what that was. */
export class ExportUnverifiable extends Schema.TaggedError<ExportUnverifiable>()("ExportUnverifiable", {
  directory: Schema.String,
  reason: Schema.String,
  fix: Schema.String
}) {
  override get message(): string {
    return `${this.directory} cannot be verified: ${this.reason}; ${this.fix}`
  }
}

/** A file of an export is not what was written. */
const DamagedFile = Schema.Struct({
  file: Schema.String,
  /** SHA-256 of what was written. */
  expected: Schema.String,
  /** SHA-256 of what is there; null where there is no such file. */
  found: Schema.NullOr(Schema.String)
})

/** Files of an export are not what was written: all of them. */
export class ExportDamaged extends Schema.TaggedError<ExportDamaged>()("ExportDamaged", {
  directory: Schema.String,
  files: Schema.NonEmptyArray(DamagedFile)
}) {
  override get message(): string {
    const lines = this.files.map(({ file, expected, found }) =>
      found === null
        ? `  ${file} is not there, its SHA-256 was ${expected}`
        : `  ${file}: its SHA-256 is ${found}, that of what was written ${expected}`
    )
    return [
      `${this.directory} is not what was exported; copy it again from where it was made, or export the model again:`,
      ...lines
    ].join("\n")
  }
}

/** A number that is not quantized and that the format of the rest does not hold. */
export class RestTooLarge extends Schema.TaggedError<RestTooLarge>()("RestTooLarge", {
  parameter: Schema.String,
  rest: Schema.String,
  largest: Schema.Number
}) {
  override get message(): string {
    return `${this.parameter}: its largest number, ${this.largest}, is too large for ${this.rest}; set "rest" to bf16 or f32, or check the checkpoint`
  }
}

/** No exporter has this name. */
export class UnknownExporter extends Schema.TaggedError<UnknownExporter>()("UnknownExporter", {
  format: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no export format "${this.format}"${didYouMean(this.format, this.known)}; known formats: ${this.known.join(", ")}; load your own with --plugin FILE, or pass it as an extension of the run`
  }
}

/** Options that the exporter's own schema refuses. */
export class ExportOptionsInvalid extends Schema.TaggedError<ExportOptionsInvalid>()("ExportOptionsInvalid", {
  format: Schema.String,
  issue: Schema.String
}) {
  override get message(): string {
    return `options of export format "${this.format}": ${this.issue}`
  }
}
