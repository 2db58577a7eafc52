/** Which option of a multiple-choice question a free text names: a letter, `Z` for a refusal, or undefined. */
import { codePoints, lower, pythonWhiteSpace, splitWords } from "../internal/pythonText.ts"

/**
 * Which version of the rules: `2025-08` are those of the time of arXiv:2511.08914, `head` those of 2026-08, which also
 * look for "answer is X".
 */
export type Matcher = "2025-08" | "head"

export type Options = ReadonlyMap<string, string>

const apiFailure = "Failed to obtain answer via API"
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  "Cannot determine the answer"
]
const punctuation = /[.()[\],:;!*#{}]/g
// No word boundary after the letter: "answer is Apple" says A. Kept as the original has it. Python's case-insensitive i is also a
// dotless one and a capital one with a dot; JavaScript's is neither.
const answerIs = new RegExp(`answer[${pythonWhiteSpace}]+[i\u0130\u0131]s[${pythonWhiteSpace}]+\\**([ABCD])`, "iu")

/** The option that is named by its letter as a word of its own. */
export const inferLetter = (answer: string, options: Options, matcher: Matcher): string | undefined => {
  if (answer.includes(apiFailure)) return undefined
  if (refusals.some((refusal) => answer.includes(refusal))) return "Z"
  const words = splitWords(answer.replace(punctuation, " "))
  const named = Array.from(options.keys()).filter((letter) => words.includes(letter))
  // Only among the last four words: an "A" earlier is more often the article.
  if (named.length === 1 && words.indexOf(named[0]!) > words.length - 5) return named[0]!
  if (named.length === 0 && words.includes("Z")) return "Z"
  if (matcher === "2025-08") return undefined
  const said = answerIs.exec(answer)?.[1]?.toUpperCase()
  return said !== undefined && options.has(said) ? said : undefined
}

/** The only option whose text occurs in the answer, unless the answer is more than twice as long as all options. */
export const inferText = (answer: string, options: Options): string | undefined => {
  const lowered = lower(answer)
  let total = 0
  for (const text of options.values()) total += codePoints(text)
  if (codePoints(lowered) > 2 * total) return undefined
  const contained = Array.from(options).filter(([, text]) => lowered.includes(lower(text)))
  return contained.length === 1 ? contained[0]![0] : undefined
}

/** By letter, else by text. */
export const inferOption = (answer: string, options: Options, matcher: Matcher): string | undefined =>
  inferLetter(answer, options, matcher) ?? inferText(answer, options)
