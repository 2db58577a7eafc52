/** What an evaluation found: a row of the final table. */
import { paperAverage, type Score } from "@speedq/evaluation"
import { Artefact, Codec, type Measure, type Report } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

const Mark = Schema.Struct({ score: Schema.Number, rows: Schema.Int, standardError: Schema.optionalKey(Schema.Number) })

/** An answer: reports show some of them, and runs are compared by them, question by question. */
const Answered = Schema.Struct({
  /** Row of the data file. */
  index: Schema.String,
  answer: Schema.String,
  correct: Schema.optionalKey(Schema.Boolean)
})

export const BenchmarkScore = Schema.Struct({
  benchmark: Schema.String,
  data: Schema.String,
  overall: Schema.Number,
  /** Splits, then categories of a single split. */
  categories: Schema.Record(Schema.String, Mark),
  /** KL a token of the expected answers from the full-precision model, in nats; null where it was not measured. */
  divergence: Schema.NullOr(Schema.Number),
  divergenceTokens: Schema.Int,
  /** Answers to all rows that were asked, in the order of the data file. */
  answers: Schema.Array(Answered)
})
export type BenchmarkScore = typeof BenchmarkScore.Type

/** What was asked: the full-precision model (`source`), one that is only rounded to nearest, or what `stages` have made. */
const Made = Schema.Literals(["source", "nearest", "stages"])

export const Evaluation = Schema.Struct({
  title: Schema.String,
  made: Made,
  scores: Schema.Array(BenchmarkScore),
  /** Size of the whole model and bits a parameter, everything included. */
  bytes: Schema.Number,
  bitsPerParameter: Schema.Number
})
export type Evaluation = typeof Evaluation.Type

/** All evaluations so far, in order. */
export const Evaluations = Artefact.make(
  "evaluations",
  "scores of the model at several points",
  Codec.json(Schema.Array(Evaluation))
)

/** Marks by category; of several splits, by split. */
export const marksOf = ({ splits, categories }: Score): BenchmarkScore["categories"] => {
  const names = Object.keys(splits)
  const [only] = names
  const chosen = names.length === 1 && only !== undefined ? (categories[only] ?? {}) : splits
  return Object.fromEntries(
    Object.entries(chosen).map(([name, { score, rows, standardError }]) => [
      name,
      { score, rows, ...(standardError === undefined ? {} : { standardError }) }
    ])
  )
}

/** Divergence a token over all benchmarks; null where none was measured. */
export const divergenceOf = ({ scores }: Evaluation): number | null => {
  const measured = scores.filter(({ divergence }) => divergence !== null)
  const tokens = measured.reduce((sum, { divergenceTokens }) => sum + divergenceTokens, 0)
  if (tokens === 0) return null
  return measured.reduce((sum, { divergence, divergenceTokens }) => sum + divergence! * divergenceTokens, 0) / tokens
}

/** Size of a model, as tables show it. */
export const sizes: readonly Measure<Evaluation>[] = [
  { name: "MB", of: ({ bytes }) => bytes / 1e6, write: (value) => value.toFixed(3), fixed: true },
  {
    name: "bits / parameter",
    of: ({ bitsPerParameter }) => bitsPerParameter,
    write: (value) => value.toFixed(2),
    fixed: true
  }
]

const percent = ({ score, standardError }: typeof Mark.Type): string =>
  standardError === undefined ? score.toFixed(1) : `${score.toFixed(1)} ± ${standardError.toFixed(1)}`

/** One row an evaluation: the paper's average where all of its benchmarks were asked, overall numbers, each category with its standard error, divergence, size. */
export const evaluationTable = (evaluations: readonly Evaluation[]): typeof Report.Table.Type => {
  const columns = new Map<string, { readonly data: string; readonly category?: string }>()
  for (const { data, categories } of evaluations.flatMap(({ scores }) => scores)) {
    columns.set(data, { data })
    for (const category of Object.keys(categories)) columns.set(`${data} ${category}`, { data, category })
  }
  const cell = (
    { scores }: Evaluation,
    { data, category }: { readonly data: string; readonly category?: string }
  ): string => {
    const found = scores.find((score) => score.data === data)
    if (found === undefined) return ""
    if (category === undefined) return found.overall.toFixed(1)
    const mark = found.categories[category]
    return mark === undefined ? "" : percent(mark)
  }
  const averages = evaluations.map(({ scores }) => paperAverage(scores))
  const averaged = averages.some((average) => average !== undefined)
  return {
    _tag: "Table",
    title: "Evaluation",
    columns: [
      "model",
      ...(averaged ? ["average of 8"] : []),
      ...columns.keys(),
      "KL / token",
      ...sizes.map(({ name }) => name)
    ],
    rows: evaluations.map((evaluation, index) => [
      evaluation.title,
      ...(averaged ? [averages[index]?.toFixed(1) ?? ""] : []),
      ...[...columns.values()].map((column) => cell(evaluation, column)),
      divergenceOf(evaluation)?.toPrecision(3) ?? "",
      ...sizes.map(({ of, write }) => write(of(evaluation)!))
    ])
  }
}
