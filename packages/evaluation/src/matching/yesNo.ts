/** Yes or No out of a free text. */
import { lower, splitWords } from "../internal/pythonText.ts"

const punctuation = [
  ";",
  "/",
  "[",
  "]",
  '"',
  "{",
  "}",
  "(",
  ")",
  "=",
  "+",
  "\\",
  "_",
  "-",
  ">",
  "<",
  "@",
  "`",
  ",",
  "?",
  "!"
]
const commaBetweenDigits = /\p{Nd},\p{Nd}/u
const lonePeriod = /(?<!\p{Nd})\.(?!\p{Nd})/gu

/**
 * Punctuation as VQA scoring treats it: a mark is deleted when it stands beside a space anywhere in `text` (or when
 * `text` has a comma between digits), else it becomes a space; then periods away from digits go.
 */
export const processPunctuation = (text: string): string => {
  const thousands = commaBetweenDigits.test(text)
  let result = text
  for (const mark of punctuation) {
    const beside = text.includes(`${mark} `) || text.includes(` ${mark}`)
    result = result.replaceAll(mark, beside || thousands ? "" : " ")
  }
  // At most 32: the original passes a flag where the count belongs.
  let replaced = 0
  return result.replace(lonePeriod, (period) => (replaced++ < 32 ? "" : period))
}

/** `Yes` when the words hold yes and not no, `No` the other way round, else `Unknown`. */
export const extractYesNo = (prediction: string): "Yes" | "No" | "Unknown" => {
  const words = splitWords(processPunctuation(lower(prediction)))
  const [yes, no] = [words.includes("yes"), words.includes("no")]
  if (yes === no) return "Unknown"
  return yes ? "Yes" : "No"
}
