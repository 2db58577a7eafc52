/** How several models differ: their scores question by question where they answered the same ones, their divergence, and their size. */
import { differenceOf, type Interval, pairedDifference, paperAverage } from "@speedq/evaluation"
import { type BenchmarkScore, divergenceOf, type Evaluation } from "./Evaluation.ts"
import { nameOf, shareOf } from "./shares.ts"

/** A difference from the first model, with its 95 % interval where one can be given. */
export interface Difference {
  readonly value: number
  readonly low?: number
  readonly high?: number
  /** Questions that both answered; undefined where they answered different ones, or the number is no score. */
  readonly paired?: number
}

/** One number of each model, null where it has none, and the differences of all but the first from the first. */
export interface ComparedMeasure {
  readonly name: string
  /** Digits after the point that tell something. */
  readonly digits: number
  readonly values: readonly (number | null)[]
  readonly differences: readonly (Difference | null)[]
}

/** Measures of the models in the order of a reader's interest; a model that was not asked a benchmark has no score of it. */
export const compareEvaluations = (evaluations: readonly Evaluation[]): readonly ComparedMeasure[] => {
  const plain = (name: string, digits: number, of: (evaluation: Evaluation) => number | null) =>
    measureOf(name, digits, evaluations.map(of))
  const averaged = evaluations.some(({ scores }) => paperAverage(scores) !== undefined)
  const files = [...new Set(evaluations.flatMap(({ scores }) => scores.map(({ data }) => data)))]
  return [
    ...(averaged ? [plain("average of 8", 1, ({ scores }) => paperAverage(scores) ?? null)] : []),
    ...files.map((data) =>
      benchmarkMeasure(evaluations.map(({ scores }) => scores.find((each) => each.data === data)))
    ),
    plain("KL / token", 4, divergenceOf),
    plain("MB", 3, ({ bytes }) => bytes / 1e6),
    plain("bits / parameter", 2, ({ bitsPerParameter }) => bitsPerParameter)
  ].filter(({ values }) => values.some((value) => value !== null))
}

const measureOf = (name: string, digits: number, values: readonly (number | null)[]): ComparedMeasure => {
  const [first = null, ...others] = values
  const differences = others.map((value) => (first === null || value === null ? null : { value: value - first }))
  return { name, digits, values, differences }
}

const benchmarkMeasure = (scores: readonly (BenchmarkScore | undefined)[]): ComparedMeasure => {
  const [first, ...others] = scores
  const known = scores.find((score) => score !== undefined)!
  return {
    name: nameOf(known),
    digits: 1,
    values: scores.map((score) => score?.overall ?? null),
    differences: others.map((other) =>
      first === undefined || other === undefined ? null : scoreDifference(first, other)
    )
  }
}

const scoreDifference = (first: BenchmarkScore, second: BenchmarkScore): Difference => {
  const value = second.overall - first.overall
  const [before, after] = [shareOf(first), shareOf(second)]
  if (before === undefined || after === undefined) return { value }
  const pairs = pairsOf(first, second)
  const interval = pairs === undefined ? differenceOf(before, after) : pairedDifference(pairs)
  return { value, ...inPercent(interval), ...(pairs === undefined ? {} : { paired: first.answers.length }) }
}

const inPercent = ({ low, high }: Interval) => ({ low: 100 * low, high: 100 * high })

/** Who was right on the questions; undefined unless both answered the same rows. */
const pairsOf = (first: BenchmarkScore, second: BenchmarkScore) => {
  const others = new Map(second.answers.map(({ index, correct }) => [index, correct]))
  if (first.answers.length !== others.size || first.answers.some(({ index }) => !others.has(index))) return undefined
  const count = (one: boolean, other: boolean) =>
    first.answers.filter(({ index, correct }) => correct === one && others.get(index) === other).length
  return {
    both: count(true, true),
    onlyFirst: count(true, false),
    onlySecond: count(false, true),
    neither: count(false, false)
  }
}
