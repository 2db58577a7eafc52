/** What can go wrong when a model is written for use elsewhere. */
import { didYouMean } from "@speedq/formats"
import * as Schema from "effect/Schema"

/** A file of an export could not be written. `cause` is the system's own error. */
export class ExportNotWritten extends Schema.TaggedError<ExportNotWritten>()("ExportNotWritten", {
  directory: Schema.String,
  cause: Schema.Unknown
}) {
  override get message(): string {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    const isAdvised = this.cause instanceof CompanionElsewhere
    const advice = isAdvised ? "" : "; free space or choose another directory, and run the same command again"
    return `the export could not be written into ${this.directory}: ${reason}${advice}`
  }
}

/** A file of the model that would be copied is a link to somewhere else: what it holds may not be meant for others. */
export class CompanionElsewhere extends Schema.TaggedError<CompanionElsewhere>()("CompanionElsewhere", {
  file: Schema.String,
  target: Schema.String
}) {
  override get message(): string {
    return `${this.file} is a link to ${this.target}, which is neither in the model's directory nor in the hub's cache; put the file itself in its place`
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
