/** Scores a predictions file. */
import { benchmarkNamed, type Matcher, readDataFile, readPredictions, type Score, score } from "@speedq/evaluation"
import { Extensions } from "@speedq/stages"
import * as Effect from "effect/Effect"

export { renderScore } from "@speedq/evaluation"

export interface ScoreRequest {
  readonly data: string
  readonly benchmark: string
  readonly matcher: Matcher
  /** Fail when a row has no prediction. */
  readonly complete: boolean
}

/** Reads predictions and data file, and scores. */
export const scoreFile = Effect.fn("scoreFile")(function* (
  predictions: string,
  { data, benchmark, matcher, complete }: ScoreRequest
) {
  const chosen = yield* benchmarkNamed(benchmark, (yield* Extensions).benchmarks)
  const { rows } = yield* readDataFile(data, chosen, { purpose: "score" })
  const answers = yield* readPredictions(predictions)
  return yield* score(chosen, rows, answers, { matcher, file: predictions, dataFile: data, complete })
})

/** The document of `speedq score --json`. */
export const scoreJson = ({ benchmark, matcher, overall, splits, categories, rows }: Score) => ({
  benchmark,
  matcher,
  overall,
  splits,
  categories,
  rows
})
