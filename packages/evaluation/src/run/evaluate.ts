/** Evaluating a model on a benchmark: asking row by row, keeping every answer, then predictions file and score. */
import * as Effect from "effect/Effect"
import type { Benchmark } from "../benchmarks/Benchmark.ts"
import { readPredictions } from "../predictions/readPredictions.ts"
import { writePredictions } from "../predictions/writePredictions.ts"
import { type Score, scoreWithMarks } from "../scoring/Score.ts"
import { type ScoreFiles, writeScore } from "../scoring/writeScore.ts"
import { askQuestions, type EvaluateOptions, openQuestions, type Questions, silent } from "./questions.ts"

export interface Evaluated extends ScoreFiles {
  readonly score: Score
  readonly predictionsFile: string
  readonly journalFile: string
  /** Whether the data file is the published one; undefined for a benchmark without one. */
  readonly published: boolean | undefined
}

/** Predictions file and score of questions that are answered. */
export const finishEvaluation = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  { data, published, rows, named, journalFile }: Questions,
  answers: ReadonlyMap<string, string>,
  options: EvaluateOptions
) {
  const tell = options.onProgress ?? silent
  // A part has files of its own: it never takes the place of the whole.
  const stem = rows.length < data.rows.length ? `${named}_first${rows.length}` : named
  const predictionsFile = `${stem}.${options.format ?? "xlsx"}`
  const cells = yield* writePredictions(predictionsFile, data, rows, answers)
  if (cells.length > 0) yield* tell({ _tag: "CellsCut", file: predictionsFile, cells })
  yield* tell({ _tag: "Written", file: predictionsFile })
  const scored = yield* scoreWithMarks(benchmark, data.rows, yield* readPredictions(predictionsFile), {
    file: predictionsFile,
    dataFile: data.file,
    ...(options.matcher === undefined ? {} : { matcher: options.matcher })
  })
  const files = yield* writeScore(benchmark, stem, scored)
  const evaluated: Evaluated = { score: scored.score, predictionsFile, ...files, journalFile, published }
  return evaluated
})

/**
 * Evaluates the {@link Answerer} on a benchmark.
 *
 * Every answer is in the journal as soon as it is there: a run that was stopped, however, continues with the rows that are
 * left. Where the data file changed since, answers to questions that stayed the same are kept. Rows whose pictures cannot be read
 * stop the run when all others are answered. The score is that of the predictions file as pandas would read it back, so `score` of that file gives the same.
 *
 * Fails with what {@link readDataFile}, {@link openJournal}, {@link rowImages}, {@link writePredictions} and {@link score}
 * fail with, and with RowNotAnswered, RowsUnreadable and NameInvalid.
 */
export const evaluate = Effect.fn("evaluation.evaluate")(function* (benchmark: Benchmark, options: EvaluateOptions) {
  const questions = yield* openQuestions(benchmark, options)
  const answers = yield* askQuestions(benchmark, questions, questions.asked, options)
  return yield* finishEvaluation(benchmark, questions, answers, options)
})
