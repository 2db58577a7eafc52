/** What can go wrong between processes. */
import * as Schema from "effect/Schema"

/** The place where runners and coordinator meet cannot be used. */
export class ClusterUnavailable extends Schema.TaggedError<ClusterUnavailable>()("ClusterUnavailable", {
  /** Without a password. */
  cluster: Schema.String,
  reason: Schema.String,
  fix: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `cluster ${this.cluster}: ${this.reason}${this.fix === undefined ? "" : `; ${this.fix}`}`
  }
}

/** A runner computes otherwise than a run that is at work: its numbers would have other bits. */
export class RunnerRefused extends Schema.TaggedError<RunnerRefused>()("RunnerRefused", {
  run: Schema.String,
  /** What differs, and its two values. */
  field: Schema.String,
  ofRun: Schema.String,
  ofRunner: Schema.String,
  fix: Schema.String
}) {
  override get message(): string {
    return `this runner is refused: ${this.run} has the ${this.field} ${this.ofRun}, the runner ${this.ofRunner}, so that its numbers would have other bits; ${this.fix}`
  }
}

/** A unit of work could not be computed by a runner. The coordinator computes it then, and meets the failure itself if there is one. */
export class UnitFailed extends Schema.TaggedError<UnitFailed>()("UnitFailed", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** The run cannot hand files to runners where it was told to. */
export class ListenRefused extends Schema.TaggedError<ListenRefused>()("ListenRefused", {
  listen: Schema.String,
  reason: Schema.String,
  fix: Schema.String
}) {
  override get message(): string {
    return `--listen ${this.listen}: ${this.reason}; ${this.fix}`
  }
}

/** A file could not be had from the run, or given to it. */
export class BlobFailed extends Schema.TaggedError<BlobFailed>()("BlobFailed", {
  /** Of the run's blob service. */
  url: Schema.String,
  reason: Schema.String,
  /** Whether it may be otherwise a little later. */
  mayHeal: Schema.Boolean
}) {
  override get message(): string {
    return `the run's files at ${this.url}: ${this.reason}`
  }
}
