/** Whether an answer contains one of the expected texts, by OCRBench's rules. */
import { lower, strip } from "../internal/pythonText.ts"

/** The one category in which case matters and spaces do not. */
export const formulaCategory = "Handwritten Mathematical Expression Recognition"

const normalFormula = (text: string): string => strip(text).replaceAll("\n", " ").replaceAll(" ", "")
const normalText = (text: string): string => strip(lower(text)).replaceAll("\n", " ")

/** Substring match of any expected text; an empty expected text matches everything. */
export const readsText = (prediction: string, expected: readonly string[], category: string): boolean => {
  const normal = category === formulaCategory ? normalFormula : normalText
  const answer = normal(prediction)
  return expected.some((text) => answer.includes(normal(text)))
}
