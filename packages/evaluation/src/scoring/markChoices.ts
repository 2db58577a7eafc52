/** Multiple choice, every row on its own. */
import type { AnsweredRow } from "../benchmarks/Benchmark.ts"
import { optionsOf, type Row } from "../data/Row.ts"
import { inferOption, type Matcher, type Options } from "../matching/inferOption.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { accuracy, type Marks, summarize } from "./Marks.ts"

/** A row's options and the letter of the right one. */
export interface Choice {
  readonly options: Options
  readonly expected: string
}

/** The choice as the file states it. */
export const statedChoice = (row: Row): Choice => ({ options: optionsOf(row), expected: expectedAnswer(row) })

/** A hit where the inferred option is the expected letter; what cannot be inferred counts as `Z`. */
export const markChoices = (
  rows: readonly AnsweredRow[],
  matcher: Matcher,
  choiceOf: (row: Row) => Choice = statedChoice
): Marks => {
  const marks = rows.map(({ row, prediction }) => {
    const { options, expected } = choiceOf(row)
    const extracted = inferOption(prediction, options, matcher) ?? "Z"
    return { row, prediction, extracted, expected, hit: extracted === expected }
  })
  return summarize(marks, accuracy)
}
