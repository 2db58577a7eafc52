/** Multiple choice, every row on its own. */
import { type AnsweredRow, UnscorableRow } from "../benchmarks/Benchmark.ts"
import { optionLetters, optionsOf, type Row } from "../data/Row.ts"
import { inferOption, type Matcher, type Options } from "../matching/inferOption.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { accuracy, type Marks, summarize } from "./Marks.ts"

/** A row's options and the letter of the right one. */
export interface Choice {
  readonly options: Options
  readonly expected: string
}

/**
 * The choice with this letter as the right one. Throws {@link UnscorableRow} where the row has no such option: no prediction could hit
 * it. An option whose text pandas takes for missing counts as one, since published files have such answers.
 */
export const choiceOf = (row: Row, expected: string): Choice => {
  const options = optionsOf(row)
  const letters = optionLetters.filter((letter) => options.has(letter) || row.takenForMissing?.has(letter))
  if (letters.includes(expected)) return { options, expected }
  const reason = `${JSON.stringify(expected)} is no letter of the row, which has ${letters.join(", ") || "no options"}; correct the cell, or take the row out of the file`
  throw new UnscorableRow(row, "answer", reason)
}

/** The choice as the file states it. */
export const statedChoice = (row: Row): Choice => choiceOf(row, expectedAnswer(row))

/** A hit where the inferred option is the expected letter; what cannot be inferred counts as `Z`. */
export const markChoices = (
  rows: readonly AnsweredRow[],
  matcher: Matcher,
  choice: (row: Row) => Choice = statedChoice
): Marks => {
  const marks = rows.map(({ row, prediction }) => {
    const { options, expected } = choice(row)
    const extracted = inferOption(prediction, options, matcher) ?? "Z"
    return { row, prediction, extracted, expected, hit: extracted === expected }
  })
  return summarize(marks, accuracy)
}
