/** Scoring predictions against a benchmark's rows. */
import * as Effect from "effect/Effect"
import { type AnsweredRow, type Benchmark, UnscorableRow } from "../benchmarks/Benchmark.ts"
import { type Row, splitOf } from "../data/Row.ts"
import {
  PredictionDuplicate,
  PredictionForeign,
  PredictionsMissing,
  PredictionsOfOthers,
  RowInvalid
} from "../Errors.ts"
import type { Matcher } from "../matching/inferOption.ts"
import type { Prediction } from "../predictions/Prediction.ts"
import { answersToOthers } from "./answersToOthers.ts"
import type { Mark, Marks } from "./Marks.ts"
import { rowFinder } from "./rowFinder.ts"

export interface ScoredRow {
  readonly index: string
  readonly split: string
  readonly category?: string
  readonly prediction: string
  /** What the matcher read: a letter, Yes/No/Unknown, or the text itself; the rotations' letters in circular evaluation. */
  readonly extracted: string
  readonly expected: string
  readonly hit: boolean
}

export interface Score {
  readonly benchmark: string
  readonly matcher: Matcher
  readonly unit: "percent" | "points"
  /** The number to report: percent, or OCRBench's points out of 1000. NaN (null in JSON) when no row of its split was answered. */
  readonly overall: number
  /** The split that `overall` is of, or `all`. */
  readonly reported: string
  readonly splits: Readonly<Record<string, Mark>>
  readonly categories: Readonly<Record<string, Readonly<Record<string, Mark>>>>
  readonly counts: { readonly rows: number; readonly answered: number; readonly missing: number }
  /** Indexes of the rows without a prediction; they are in no denominator. */
  readonly missing: readonly string[]
  readonly rows: readonly ScoredRow[]
}

export interface ScoreOptions {
  readonly matcher?: Matcher
  /** Names the predictions in errors. */
  readonly file?: string
  /** Names the data file in errors. */
  readonly dataFile?: string
  /** Fail when a row has no prediction; otherwise such rows are only reported. */
  readonly complete?: boolean
}

const pair = (benchmark: Benchmark, rows: readonly Row[], predictions: readonly Prediction[], file: string) =>
  Effect.gen(function* () {
    const rowOf = rowFinder(rows)
    const answers = new Map<string, { readonly row: number; readonly prediction: string }>()
    for (const [at, { index, prediction }] of predictions.entries()) {
      const row = at + 1
      const asked = rowOf(index)
      if (asked === undefined) return yield* new PredictionForeign({ file, row, index, benchmark: benchmark.name })
      const first = answers.get(asked.index)
      if (first !== undefined) return yield* new PredictionDuplicate({ file, row, index, first: first.row })
      answers.set(asked.index, { row, prediction })
    }
    const strange = answersToOthers(rowOf, predictions)
    if (strange !== undefined) return yield* new PredictionsOfOthers({ file, benchmark: benchmark.name, ...strange })
    const answered: AnsweredRow[] = []
    const missing: Row[] = []
    for (const row of rows) {
      const answer = answers.get(row.index)
      if (answer === undefined) missing.push(row)
      else answered.push({ row, prediction: answer.prediction })
    }
    return { answered, missing }
  })

const report = (benchmark: Benchmark, rows: readonly Row[], marks: Marks): { reported: string; overall: number } => {
  const splits = new Set(rows.map(splitOf))
  const [only] = splits
  if (benchmark.reportedSplit !== undefined && splits.has(benchmark.reportedSplit)) {
    return { reported: benchmark.reportedSplit, overall: marks.splits[benchmark.reportedSplit]?.score ?? Number.NaN }
  }
  return { reported: splits.size === 1 ? only! : "all", overall: marks.whole.score }
}

/** Fails with RowInvalid for a row that cannot be scored. */
const marksOf = (benchmark: Benchmark, answered: readonly AnsweredRow[], matcher: Matcher, file = benchmark.name) =>
  Effect.try({
    try: () => benchmark.mark(answered, matcher),
    catch: (error) => {
      if (!(error instanceof UnscorableRow)) throw error
      const { row, index } = error.row
      return new RowInvalid({ file, row, index, column: error.column, reason: error.message })
    }
  })

/**
 * Fails with RowInvalid where a row could not be scored, whatever a model answers; so it is known before any row is asked.
 *
 * @example yield* requireScorable(mmStar, data.rows, data.file)
 */
export const requireScorable = (benchmark: Benchmark, rows: readonly Row[], dataFile?: string) =>
  Effect.asVoid(
    marksOf(
      benchmark,
      rows.map((row) => ({ row, prediction: "" })),
      "2025-08",
      dataFile
    )
  )

/** Score and marks of predictions; see {@link score}. */
export const scoreWithMarks = Effect.fn("evaluation.score")(function* (
  benchmark: Benchmark,
  rows: readonly Row[],
  predictions: readonly Prediction[],
  options: ScoreOptions = {}
) {
  const matcher = options.matcher ?? "2025-08"
  const file = options.file ?? "predictions"
  const { answered, missing } = yield* pair(benchmark, rows, predictions, file)
  if (options.complete === true && missing.length > 0) {
    const first = missing.slice(0, 5).map(({ row, index }) => ({ row, index }))
    return yield* new PredictionsMissing({ file, missing: missing.length, rows: rows.length, first })
  }
  const marks = yield* marksOf(benchmark, answered, matcher, options.dataFile)
  const result: Score = {
    benchmark: benchmark.name,
    matcher,
    unit: benchmark.unit ?? "percent",
    ...report(benchmark, rows, marks),
    splits: marks.splits,
    categories: marks.categories,
    counts: { rows: rows.length, answered: answered.length, missing: missing.length },
    missing: missing.map((row) => row.index),
    rows: marks.rows.map(({ row, ...mark }) => {
      const category = row.cells.get("category")
      return { index: row.index, split: splitOf(row), ...(category === undefined ? {} : { category }), ...mark }
    })
  }
  return { score: result, marks }
})

/**
 * Scores predictions, whose order does not matter, against the rows of the data file; answers and options come from there.
 *
 * Fails with PredictionForeign, PredictionDuplicate, PredictionsMissing (only with `complete`), and RowInvalid for a row of
 * the data file that cannot be scored.
 */
export const score = (...of: Parameters<typeof scoreWithMarks>) =>
  Effect.map(scoreWithMarks(...of), ({ score }) => score)
