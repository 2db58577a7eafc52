/** Predictions and score of one benchmark, as files and summed up. */
import { basename, join } from "node:path"
import { readPredictions, scoreWithMarks, writePredictions, writeScore } from "@speedq/evaluation"
import { whileDoing, whileStoring } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type { summedUp } from "./Answers.ts"
import { type BenchmarkScore, marksOf } from "./Evaluation.ts"
import type { GroupedRows } from "./groupedRows.ts"

/** Writes predictions and score of one benchmark and sums them up. */
export const scoreBenchmark = Effect.fnUntraced(function* (
  { benchmark, data, rows, name }: GroupedRows,
  { answers, divergence }: ReturnType<typeof summedUp>,
  directory: string
) {
  const stem = join(directory, `${basename(name, ".tsv")}_${benchmark.name}`)
  const predictions = `${stem}.tsv`
  yield* whileStoring("write the predictions", predictions)(writePredictions(predictions, data, rows, new Map(answers)))
  const scored = yield* scoreWithMarks(benchmark, data.rows, yield* readPredictions(predictions), {
    file: predictions,
    dataFile: data.file
  })
  const { scoreFile, resultFile } = yield* whileDoing("write the score", stem)(writeScore(benchmark, stem, scored))
  const found = scored.score
  const hits = new Map(found.rows.map(({ index, hit }) => [index, hit]))
  const marked = answers.map(([index, answer]) => {
    const correct = hits.get(index)
    return { index, answer, ...(correct === undefined ? {} : { correct }) }
  })
  const summary: BenchmarkScore = {
    benchmark: found.benchmark,
    data: name,
    overall: found.overall,
    categories: marksOf(found),
    divergence: divergence.tokens === 0 ? null : divergence.sum / divergence.tokens,
    divergenceTokens: divergence.tokens,
    answers: marked
  }
  return { summary, files: [predictions, resultFile, scoreFile] }
})
