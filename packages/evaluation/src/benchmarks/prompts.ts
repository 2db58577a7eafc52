/** The texts that InternVL3 is asked, as VLMEvalKit builds them for it. */
import { optionsOf, type Row } from "../data/Row.ts"

const han = /[\u4e00-\u9fff]/

const question = (row: Row): string => row.cells.get("question") ?? ""

/** `{question} Please answer yes or no. ...` */
export const yesNoPrompt = (row: Row): string =>
  `${question(row)} Please answer yes or no. Answer the question using a single word or phrase.`

/** `{question}\nAnswer the question using a single word or phrase.` */
export const shortAnswerPrompt = (row: Row): string =>
  `${question(row)}\nAnswer the question using a single word or phrase.`

/** Hint, question and a line per option, without an instruction. */
export const questionWithOptions = (row: Row): string => {
  const hint = row.cells.get("hint")
  const options = Array.from(optionsOf(row), ([letter, text]) => `\n${letter}. ${text}`)
  return `${hint === undefined ? "" : `${hint}\n`}${question(row)}${options.join("")}`
}

/**
 * Hint, question, options and the instruction: for the letter, or for a direct answer where the row has no options; in
 * Chinese as soon as the text has one Chinese character.
 */
export const multipleChoicePrompt = (row: Row): string => {
  const text = questionWithOptions(row)
  const chinese = han.test(text)
  if (optionsOf(row).size === 0) return text + (chinese ? "\n请直接回答问题。" : "\nAnswer the question directly.")
  return (
    text + (chinese ? "\n请直接回答选项字母。" : "\nAnswer with the option's letter from the given choices directly.")
  )
}

/** Puts the `<image>` marks before the text: one alone, several numbered; none for a row without images. */
export const withImageMarks = (text: string, images: number): string => {
  if (images === 0) return text
  if (images === 1) return `<image>\n${text}`
  return Array.from({ length: images }, (_, i) => `Image-${i + 1}: <image>\n`).join("") + text
}
