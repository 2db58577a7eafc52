/** Puts the shards of an evaluation together. */
import { benchmarkNamed, type Matcher, mergeShards, type PredictionFormat } from "@speedq/evaluation"
import { Extensions } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { progress } from "../command/progress.ts"
import { evaluationProgress } from "./evaluationProgress.ts"
import { holdDirectory } from "./holdDirectory.ts"
import { shardJournals } from "./shardDirectories.ts"

export interface MergeRequest {
  readonly data: string
  readonly benchmark: string
  readonly matcher: Matcher
  readonly limit: number | undefined
  readonly imageStore: "lossless" | "jpeg75"
  /** Of the model in file names; when absent, the only one that shards were asked for. */
  readonly name: string | undefined
  readonly format: PredictionFormat
}

/** Predictions and score of all shards below `directory`, in it: the bytes that one process writes. */
export const mergeDirectory = Effect.fn("mergeDirectory")(
  function* (directory: string, { benchmark, limit, ...request }: MergeRequest) {
    const chosen = yield* benchmarkNamed(benchmark, (yield* Extensions).benchmarks)
    const { name, journals } = yield* shardJournals(directory, chosen.name, request.name)
    yield* holdDirectory(directory)
    return yield* mergeShards(chosen, {
      ...request,
      ...{ name, journals, out: directory, onProgress: yield* evaluationProgress(chosen.name) },
      ...(limit === undefined ? {} : { limit })
    })
  },
  Effect.scoped,
  Effect.provide(progress)
)
