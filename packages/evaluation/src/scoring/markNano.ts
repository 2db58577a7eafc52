/** nano's sets: choices by letter, yes/no by word, anything else by exact match. */
import type { AnsweredRow } from "../benchmarks/Benchmark.ts"
import { optionsOf, type Row } from "../data/Row.ts"
import { strip } from "../internal/pythonText.ts"
import { inferOption, type Matcher } from "../matching/inferOption.ts"
import { extractYesNo } from "../matching/yesNo.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { accuracy, type Marks, summarize } from "./Marks.ts"
import { choiceOf } from "./markChoices.ts"

const extract = (row: Row, expected: string, prediction: string, matcher: Matcher): string => {
  if (optionsOf(row).size > 0) return inferOption(prediction, choiceOf(row, expected).options, matcher) ?? "Z"
  if (expected === "Yes" || expected === "No") return extractYesNo(prediction)
  return strip(prediction)
}

/** Accuracy by category, which names the kind of task. */
export const markNano = (rows: readonly AnsweredRow[], matcher: Matcher): Marks => {
  const marks = rows.map(({ row, prediction }) => {
    const expected = strip(expectedAnswer(row))
    const extracted = extract(row, expected, prediction, matcher)
    return { row, prediction, extracted, expected, hit: extracted === expected }
  })
  return summarize(marks, accuracy)
}
