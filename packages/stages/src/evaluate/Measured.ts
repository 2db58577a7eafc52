/** Numbers that are means of ratios over units which can be drawn again: scores over questions, divergences over answers. */
import type { Divergence } from "../model/divergence.ts"
import type { BenchmarkScore } from "./Evaluation.ts"
import { isSameNumber } from "./shares.ts"

/** What a unit adds to the numerator and the denominator of each ratio. */
type Unit = ReadonlyArray<readonly [numerator: number, denominator: number]>

/** `factor` times the mean of the ratios. */
export interface Measured {
  /** By a name that tells them from others. */
  readonly units: ReadonlyMap<string, Unit>
  readonly factor: number
}

/** The number over the units at the places `drawn`; a ratio of nothing counts as 0. */
export const numberOver = ({ factor }: Measured, units: readonly Unit[], drawn: ArrayLike<number>): number => {
  const ratios = units[0]?.length ?? 0
  let sum = 0
  for (let ratio = 0; ratio < ratios; ratio++) {
    let [numerator, denominator] = [0, 0]
    for (let at = 0; at < drawn.length; at++) {
      const part = units[drawn[at]!]![ratio]!
      numerator += part[0]
      denominator += part[1]
    }
    if (denominator > 0) sum += numerator / denominator
  }
  return (factor * sum) / ratios
}

const isAll = (measured: Measured, value: number): boolean => {
  const units = [...measured.units.values()]
  return isSameNumber(numberOver(measured, units, [...units.keys()]), value)
}

type Marked = Readonly<Record<"index", string>> & { readonly correct: boolean }

/** Answers that count: of a question that is asked in several rotations, one has the mark. */
const marked = ({ answers }: BenchmarkScore): readonly Marked[] =>
  answers.flatMap(({ index, correct }) => (correct === undefined ? [] : [{ index, correct }]))

const hit = ({ correct }: Marked): number => Number(correct)

/** Each question by itself: percent, or points, one for each. */
const byQuestion = (answers: readonly Marked[], factor: number): Measured => ({
  units: new Map(answers.map((answer) => [answer.index, [[hit(answer), 1]]])),
  factor
})

/**
 * Sets of questions about the same figures: right are answers, figures of which all answers are right, and questions that are answered
 * right for all figures. An index is `{VD|VS}_{subcategory}_{visual input}_{set}_{figure}_{question}`.
 */
const bySet = (answers: readonly Marked[]): Measured => {
  const sets = new Map<string, Marked[]>()
  const idsOf = ({ index }: Marked) => index.split("_")
  for (const answer of answers) {
    const [, subcategory = "", , set = ""] = idsOf(answer)
    const name = `${subcategory}_${set}`
    sets.set(name, [...(sets.get(name) ?? []), answer])
  }
  const allRight = (members: readonly Marked[], part: number): readonly [number, number] => {
    const groups = new Map<string, boolean>()
    for (const answer of members) {
      const name = idsOf(answer)[part] ?? ""
      groups.set(name, (groups.get(name) ?? true) && answer.correct)
    }
    return [[...groups.values()].filter(Boolean).length, groups.size]
  }
  const unitOf = (members: readonly Marked[]): Unit => [
    [members.reduce((sum, answer) => sum + hit(answer), 0), members.length],
    allRight(members, 4),
    allRight(members, 5)
  ]
  return { units: new Map([...sets].map(([name, members]) => [name, unitOf(members)])), factor: 100 }
}

/** A score over what can be drawn again; undefined where it is none of the kinds that are known. */
export const measuredScore = (score: BenchmarkScore): Measured | undefined => {
  const answers = marked(score)
  if (answers.length === 0) return undefined
  const kinds = [() => byQuestion(answers, 100), () => byQuestion(answers, answers.length), () => bySet(answers)]
  return kinds.map((kind) => kind()).find((measured) => isAll(measured, score.overall))
}

/** Divergences of a model by the answers that they were measured on, benchmark by benchmark. */
export type Divergences = ReadonlyArray<ReadonlyMap<string, Divergence>>

/** Divergence a token over what can be drawn again; undefined where it is not that of `value`. */
export const measuredDivergence = (divergences: Divergences, value: number): Measured | undefined => {
  const units = divergences.flatMap((found, benchmark) =>
    [...found].map(([of, { sum, tokens }]) => [`${benchmark} ${of}`, [[sum, tokens]]] as const)
  )
  const measured: Measured = { units: new Map(units), factor: 1 }
  return isAll(measured, value) ? measured : undefined
}
