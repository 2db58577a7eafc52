/** What a run tells of its runners. */
import { eventKind, formatDuration } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

const Runner = Schema.Struct({ name: Schema.String, backend: Schema.String })

/** Told when work is handed out to other runners than before. */
export const RunnersChanged = eventKind(
  "RunnersChanged",
  { cluster: Schema.String, runners: Schema.Array(Runner) },
  {
    line: ({ cluster, runners }) =>
      runners.length === 0
        ? `no runner of ${cluster} computes; all is computed here`
        : `${runners.length === 1 ? "one runner computes" : `${runners.length} runners compute`}: ${runners.map(({ name }) => name).join(", ")}`
  }
)

/** A runner that is there and takes no part: its numbers would have other bits. */
export const RunnerIsRefused = eventKind(
  "RunnerIsRefused",
  {
    runner: Schema.String,
    field: Schema.String,
    ofRun: Schema.String,
    ofRunner: Schema.String,
    fix: Schema.String
  },
  {
    warning: true,
    line: ({ runner, field, ofRun, ofRunner, fix }) =>
      `runner ${runner} takes no part: the run has the ${field} ${ofRun}, the runner ${ofRunner}; ${fix}`
  }
)

/** A unit of work is handed out. The cluster may give it to another runner than this one, and does where this one goes. */
export const UnitHandedOut = eventKind(
  "UnitHandedOut",
  { unit: Schema.String, runner: Schema.String },
  { line: ({ unit, runner }) => `${unit} goes to ${runner}` }
)

/** A runner has computed a unit: told of those that take long, and of those that a runner with another backend has computed. */
export const UnitComputed = eventKind(
  "UnitComputed",
  { unit: Schema.String, runner: Schema.String, backend: Schema.String, milliseconds: Schema.Number },
  {
    line: ({ unit, runner, backend, milliseconds }) =>
      `${unit} computed by ${runner} on ${backend} in ${formatDuration(milliseconds)}`
  }
)

/** A unit that the coordinator computes in a runner's place. */
export const UnitComputedHere = eventKind(
  "UnitComputedHere",
  { unit: Schema.String, reason: Schema.String },
  { warning: true, line: ({ unit, reason }) => `${unit} is computed here: ${reason}` }
)

/** Told when the run hands files to runners over HTTP. */
export const FilesServed = eventKind(
  "FilesServed",
  { url: Schema.String, isOwnToken: Schema.Boolean },
  {
    line: ({ url, isOwnToken }) =>
      `runners get files from ${url}${isOwnToken ? "" : ", with the token that this run was started with"}`
  }
)
