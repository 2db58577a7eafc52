/** MMMU's rewriting of open questions as choices. */
import { optionLetters, optionsOf, type Row } from "../data/Row.ts"
import { type Choice, choiceOf } from "./markChoices.ts"

/**
 * A row without option A gets its answer as A and `Other Answers` as B (C and later stay); an answer that is not a single
 * capital letter makes A the expected option. The answer may be missing (its text was one that pandas takes for missing).
 * Throws UnscorableRow where a row with options has none of the answer's letter.
 */
export const openChoice = (row: Row): Choice => {
  const answer = row.cells.get("answer")
  const expected = answer !== undefined && optionLetters.includes(answer) ? answer : "A"
  const stated = optionsOf(row)
  if (stated.has("A")) return choiceOf(row, expected)
  const options = new Map(stated)
  if (answer !== undefined) options.set("A", answer)
  options.set("B", "Other Answers")
  return { options, expected }
}
