/** Evaluation rows in VLMEvalKit's TSV format, their answers balanced. */
import type { Random } from "@speedq/tensors"
import type { Asker, Question } from "./questions.ts"
import { choiceLetters, type Language } from "./Task.ts"

export interface EvaluationItem<Scene, Type extends string> {
  readonly scene: Scene
  readonly question: Question<Type>
}

export interface Balance<Scene, Type extends string> {
  readonly question: Asker<Scene, Type>["question"]
  readonly tasks: Readonly<Record<Type, { readonly keys: ReadonlyArray<string> }>>
  /** A scene that no training record can have. */
  readonly drawScene: (random: Random) => Scene
}

/** `count` items of one type and language; the answers' keys take turns, so none is more frequent than another. */
export const balancedItems = <Scene, Type extends string>(
  { question, tasks, drawScene }: Balance<Scene, Type>,
  random: Random,
  type: Type | "choice",
  language: Language,
  count: number
): ReadonlyArray<EvaluationItem<Scene, Type>> => {
  const keys: ReadonlyArray<string> = type === "choice" ? choiceLetters : tasks[type].keys
  const order = random.permutation(Math.max(1, keys.length))
  const items: Array<EvaluationItem<Scene, Type>> = []
  while (items.length < count) {
    const key = keys[order[items.length % order.length]!]
    const scene = drawScene(random)
    const found = question(scene, type, language, random, key === undefined ? {} : { key })
    if (found !== undefined) items.push({ scene, question: found })
  }
  return items
}

/** A cell as a spreadsheet writes it: quoted where a tab, a quote or a line break is inside. */
const cell = (text: string): string => (/[\t"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** A TSV file of rows by column; a row without a column has an empty cell there. */
export const tsv = (
  columns: ReadonlyArray<string>,
  rows: ReadonlyArray<Readonly<Record<string, string | undefined>>>
): string =>
  [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))]
    .map((row) => `${row.map(cell).join("\t")}\n`)
    .join("")

/** The cells of a question's options, A to D. */
export const optionCells = (options: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(options.map((option, i) => [choiceLetters[i]!, option]))

/**
 * The TSV file: one row per item, with its PNG in base64; `category` is the task type, `l2-category` the language. Option columns are
 * there when some row has options.
 */
export const evaluationTsv = (
  items: ReadonlyArray<{ readonly question: Question<string> }>,
  images: ReadonlyArray<Uint8Array>
): string => {
  const letters = items.some(({ question: { options } }) => options.length > 0) ? choiceLetters : []
  return tsv(
    ["index", "question", ...letters, "answer", "category", "l2-category", "image"],
    items.map(({ question: { text, options, answer, type, language } }, i) => ({
      index: String(i),
      question: text,
      ...optionCells(options),
      answer,
      category: type,
      "l2-category": language,
      image: Buffer.from(images[i]!).toString("base64")
    }))
  )
}
