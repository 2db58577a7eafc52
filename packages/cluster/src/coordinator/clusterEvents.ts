/** What a run tells of its runners. */
import { eventKind } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

const Runner = Schema.Struct({ name: Schema.String, backend: Schema.String })

/** Told when a step begins with other runners than the one before. */
export const RunnersChanged = eventKind(
  "RunnersChanged",
  { cluster: Schema.String, runners: Schema.Array(Runner) },
  {
    line: ({ cluster, runners }) =>
      runners.length === 0
        ? `no runner of ${cluster} computes; shards are computed here`
        : `shards are computed by ${runners.length === 1 ? "one runner" : `${runners.length} runners`}: ${runners.map(({ name }) => name).join(", ")}`
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

/** A shard that the coordinator computes in a runner's place. */
export const ShardComputedHere = eventKind(
  "ShardComputedHere",
  { step: Schema.Int, shard: Schema.Int, reason: Schema.String },
  {
    warning: true,
    line: ({ step, shard, reason }) => `shard ${shard + 1} of step ${step + 1} is computed here: ${reason}`
  }
)
