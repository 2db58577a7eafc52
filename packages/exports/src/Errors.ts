/** What can go wrong when a model is written for use elsewhere. */
import * as Schema from "effect/Schema"

/** A file of an export could not be written. `cause` is the system's own error. */
export class ExportNotWritten extends Schema.TaggedError<ExportNotWritten>()("ExportNotWritten", {
  directory: Schema.String,
  cause: Schema.Unknown
}) {
  override get message(): string {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `the export could not be written into ${this.directory}: ${reason}; free space or choose another directory, and run the same command again`
  }
}

/** No exporter has this name. */
export class UnknownExporter extends Schema.TaggedError<UnknownExporter>()("UnknownExporter", {
  format: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no export format "${this.format}"; there are ${this.known.join(", ")}; a format of your own comes with --plugin FILE, or as an extension of the run`
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
