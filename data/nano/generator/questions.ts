/** Questions in a language: balanced draws from a scene, and the prompts that VLMEvalKit would make of them. */
import type { Random } from "@speedq/tensors"
import { chinese } from "./chinese.ts"
import { pick, shuffle } from "./draws.ts"
import { english } from "./english.ts"
import type { Language, Phrasebook } from "./Phrasebook.ts"
import type { Scene } from "./Scene.ts"
import { type Candidate, choiceLetters, choiceSources, type Task, type TaskType, tasks, yesNoKeys } from "./tasks.ts"

export interface Question {
  readonly type: TaskType
  readonly language: Language
  readonly text: string
  readonly answer: string
  /** Texts of the options A, B, ... of a multiple choice question; empty otherwise. */
  readonly options: ReadonlyArray<string>
  /** The answer with what it follows from, for prompts that ask to explain; the plain answer where there is nothing to say. */
  readonly explained: string
  /** Question, answer and options with their words separated by spaces, for the tokenizer's construction. */
  readonly words: ReadonlyArray<string>
}

export const phrasebooks: Readonly<Record<Language, Phrasebook>> = { en: english, zh: chinese }

/**
 * A candidate whose key is drawn first, so that frequent answers are not asked for more often; `key` fixes it. Where a scene allows
 * only one of yes and no the question is not asked, so that the two stay equally frequent.
 */
const draw = (task: Task, scene: Scene, random: Random, key?: string): Candidate | undefined => {
  const candidates = task.candidates(scene)
  const keys = [...new Set(candidates.map((candidate) => candidate.key))].sort()
  if (keys.length < (task.keys === yesNoKeys ? 2 : 1) || (key !== undefined && !keys.includes(key))) return undefined
  const wanted = key ?? pick(random, keys)
  return pick(
    random,
    candidates.filter((candidate) => candidate.key === wanted)
  )
}

/** A question without options in the words of a language. */
const phrase = (type: TaskType, { ask, reply, evidence }: Candidate, book: Phrasebook): Question => {
  const reason = evidence?.(book)
  const answer = reply(book)
  const explained = reason === undefined ? answer : book.explained(reason, answer)
  const words = [ask(book), explained, answer, book.explain]
  const [text, full, short] = words.map(book.write)
  return { type, language: book.language, text: text!, answer: short!, explained: full!, options: [], words }
}

const choiceQuestion = (
  scene: Scene,
  random: Random,
  book: Phrasebook,
  options: number,
  letter?: string
): Question | undefined => {
  const type = pick(random, choiceSources)
  const source = draw(tasks[type], scene, random)
  if (source?.domain === undefined) return undefined
  const open = phrase(type, source, book)
  const right = source.reply(book)
  const wrong = shuffle(
    random,
    source.domain(book).filter((other) => other !== right)
  )
  const at = letter === undefined ? random.nextInteger(options) : choiceLetters.indexOf(letter)
  const offered = [...wrong.slice(0, at), right, ...wrong.slice(at, options - 1)]
  return {
    ...open,
    type: "choice",
    answer: choiceLetters[at]!,
    explained: book.write(book.explained(right, choiceLetters[at]!)),
    options: offered.map(book.write),
    words: [...open.words, book.explained(right, choiceLetters[at]!), ...offered]
  }
}

export interface Wanted {
  /** The answer's key (`Task.keys`), or the letter of a multiple choice question. */
  readonly key?: string
  /** How many options a multiple choice question has: 2, 3 or 4. */
  readonly options?: number
}

/** A question of one type about a scene, or nothing where the scene does not allow one (or none with the wanted key). */
export const question = (
  scene: Scene,
  type: TaskType,
  language: Language,
  random: Random,
  wanted: Wanted = {}
): Question | undefined => {
  const book = phrasebooks[language]
  if (type === "choice") return choiceQuestion(scene, random, book, wanted.options ?? 4, wanted.key)
  const found = draw(tasks[type], scene, random, wanted.key)
  if (found === undefined) return undefined
  return phrase(type, found, book)
}

/**
 * `plain` is the bare question; `benchmark` adds the instruction that VLMEvalKit appends for the data set of that kind; `explain` asks
 * for the reason before the answer.
 */
export type PromptStyle = "plain" | "benchmark" | "explain"

const shortAnswer = "Answer the question using a single word or phrase."
const yesNoTypes: ReadonlySet<TaskType> = new Set<TaskType>(["exist", "verify", "compare", "relation"])
const chooseLetter = {
  en: "Answer with the option's letter from the given choices directly.",
  zh: "请直接回答选项字母。"
}

/** The user's text without its image marker: the question, its options one a line, and an instruction. */
export const promptText = ({ type, language, text, options }: Question, style: PromptStyle): string => {
  const asked = text + options.map((option, i) => `\n${choiceLetters[i]}. ${option}`).join("")
  const { explain, write } = phrasebooks[language]
  if (style === "explain") return `${asked}\n${write(explain)}`
  if (style === "plain" || type === "caption" || type === "sort") return asked
  if (options.length > 0) return `${asked}\n${chooseLetter[language]}`
  return yesNoTypes.has(type) ? `${asked} Please answer yes or no. ${shortAnswer}` : `${asked}\n${shortAnswer}`
}

/** What the model should answer to that prompt. */
export const answerText = ({ answer, explained }: Question, style: PromptStyle): string =>
  style === "explain" ? explained : answer
