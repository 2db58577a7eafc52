/** Evaluation rows in VLMEvalKit's TSV format, from scenes that no training record can have, their answers balanced. */
import type { Random } from "@speedq/tensors"
import type { Language } from "./Phrasebook.ts"
import { type Question, question } from "./questions.ts"
import { makeScene, type Scene } from "./Scene.ts"
import { choiceLetters, evaluatedTypes, type TaskType, tasks } from "./tasks.ts"

export interface EvaluationItem {
  readonly scene: Scene
  readonly question: Question
}

/** `count` rows of one type and language; the answers' keys take turns, so none is more frequent than another. */
const balancedItems = (
  random: Random,
  type: TaskType,
  language: Language,
  count: number
): ReadonlyArray<EvaluationItem> => {
  const keys: ReadonlyArray<string> = type === "choice" ? choiceLetters : tasks[type].keys
  const order = random.permutation(Math.max(1, keys.length))
  const items: Array<EvaluationItem> = []
  while (items.length < count) {
    const key = keys[order[items.length % order.length]!]
    const scene = makeScene(random, "evaluation")
    const found = question(scene, type, language, random, key === undefined ? {} : { key })
    if (found !== undefined) items.push({ scene, question: found })
  }
  return items
}

const languages: ReadonlyArray<Language> = ["en", "zh"]

/** Every evaluated type of short answers in both languages. */
export const shortItems = (random: Random, perTypeAndLanguage: number): ReadonlyArray<EvaluationItem> =>
  evaluatedTypes.flatMap((type) =>
    languages.flatMap((language) => balancedItems(random, type, language, perTypeAndLanguage))
  )

/** Captions in both languages. */
export const captionItems = (random: Random, perLanguage: number): ReadonlyArray<EvaluationItem> =>
  languages.flatMap((language) => balancedItems(random, "caption", language, perLanguage))

/** A cell as a spreadsheet writes it: quoted where a tab, a quote or a line break is inside. */
const cell = (text: string): string => (/[\t"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/**
 * The TSV file: one row per item, with its PNG in base64; `category` is the task type, `l2-category` the language. Option columns are
 * there when some row has options.
 */
export const evaluationTsv = (items: ReadonlyArray<EvaluationItem>, images: ReadonlyArray<Uint8Array>): string => {
  const letters = items.some(({ question: { options } }) => options.length > 0) ? choiceLetters : []
  const rows = items.map(({ question: { text, options, answer, type, language } }, i) => [
    String(i),
    text,
    ...letters.map((_, option) => options[option] ?? ""),
    answer,
    type,
    language,
    Buffer.from(images[i]!).toString("base64")
  ])
  const columns = ["index", "question", ...letters, "answer", "category", "l2-category", "image"]
  return [columns, ...rows].map((row) => `${row.map(cell).join("\t")}\n`).join("")
}
