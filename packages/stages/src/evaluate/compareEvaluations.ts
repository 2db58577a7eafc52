/** How several models differ: their scores question by question where they answered the same ones, their divergence, and their size. */
import { differenceOf, type Interval, pairedDifference, paperAverage, paperBenchmarks } from "@speedq/evaluation"
import { type BenchmarkScore, divergenceOf, type Evaluation } from "./Evaluation.ts"
import { type Divergences, type Measured, measuredDivergence, measuredScore } from "./Measured.ts"
import { pairedBootstrap } from "./pairedBootstrap.ts"
import { nameOf, shareOf } from "./shares.ts"

/** An evaluation, and the divergences that were measured for it, where they are known. */
export interface Judged {
  readonly evaluation: Evaluation
  readonly divergences?: Divergences | undefined
}

/** A difference from the first model, with its 95 % interval where one can be given. */
export interface Difference {
  readonly value: number
  readonly low?: number
  readonly high?: number
  /** What the interval is: Newcombe's of a difference of shares, or that of a paired bootstrap. */
  readonly by?: "Newcombe" | "bootstrap"
  /** Questions that both answered; undefined where they answered different ones, or the number is no score of one benchmark. */
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
export const compareEvaluations = (judged: readonly Judged[]): readonly ComparedMeasure[] => {
  const evaluations = judged.map(({ evaluation }) => evaluation)
  const plain = (name: string, digits: number, of: (evaluation: Evaluation) => number | null) =>
    measureOf(name, digits, evaluations.map(of))
  const averages = evaluations.map(({ scores }) => paperAverage(scores) ?? null)
  const files = [...new Set(evaluations.flatMap(({ scores }) => scores.map(({ data }) => data)))]
  return [
    withIntervals(measureOf("average of 8", 1, averages), evaluations.map(averagedScores)),
    ...files.map((data) =>
      benchmarkMeasure(evaluations.map(({ scores }) => scores.find((each) => each.data === data)))
    ),
    withIntervals(plain("KL / token", 4, divergenceOf), judged.map(divergence)),
    plain("MB", 3, ({ bytes }) => bytes / 1e6),
    plain("bits / parameter", 2, ({ bitsPerParameter }) => bitsPerParameter)
  ].filter(({ values }) => values.some((value) => value !== null))
}

const measureOf = (name: string, digits: number, values: readonly (number | null)[]): ComparedMeasure => {
  const [first = null, ...others] = values
  const differences = others.map((value) => (first === null || value === null ? null : { value: value - first }))
  return { name, digits, values, differences }
}

/** The eight scores of the paper's average; undefined unless all can be drawn again. */
const averagedScores = ({ scores }: Evaluation): readonly Measured[] | undefined => {
  const own = paperBenchmarks.map((name) => scores.find(({ benchmark }) => benchmark === name))
  return allOf(own.map((score) => (score === undefined ? undefined : measuredScore(score))))
}

const divergence = ({ evaluation, divergences }: Judged): readonly Measured[] | undefined => {
  const value = divergenceOf(evaluation)
  return divergences === undefined || value === null ? undefined : allOf([measuredDivergence(divergences, value)])
}

const allOf = <A>(values: readonly (A | undefined)[]): readonly A[] | undefined => {
  const known = values.filter((value) => value !== undefined)
  return known.length === values.length ? known : undefined
}

/** A measure with the intervals of its differences, where what it is measured on can be drawn again and is the same. */
const withIntervals = (
  measure: ComparedMeasure,
  [first, ...others]: readonly (readonly Measured[] | undefined)[]
): ComparedMeasure => {
  const intervalOf = (other: readonly Measured[] | undefined) =>
    first === undefined || other === undefined
      ? undefined
      : pairedBootstrap(first.map((measured, at) => ({ first: measured, second: other[at]! })))
  const differences = measure.differences.map((difference, at) => {
    const interval = difference === null ? undefined : intervalOf(others[at])
    return difference === null || interval === undefined
      ? difference
      : { ...difference, ...interval, by: "bootstrap" as const }
  })
  return { ...measure, differences }
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
  const pairs = pairsOf(first, second)
  const paired = pairs === undefined ? {} : { paired: first.answers.length }
  if (before === undefined || after === undefined) {
    const [one, other] = [measuredScore(first), measuredScore(second)]
    const interval = one && other && pairedBootstrap([{ first: one, second: other }])
    return interval === undefined ? { value } : { value, ...interval, by: "bootstrap", ...paired }
  }
  const interval = pairs === undefined ? differenceOf(before, after) : pairedDifference(pairs)
  return { value, ...inPercent(interval), by: "Newcombe", ...paired }
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
