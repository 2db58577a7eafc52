/** Questions in a language: balanced draws from a scene, and the prompts that VLMEvalKit would make of them. */
import type { Random } from "@speedq/tensors"
import { pick, shuffle } from "./draws.ts"
import { type Candidate, type CommonPhrases, choiceLetters, type Language, type Task, yesNoKeys } from "./Task.ts"

export interface Question<Type extends string> {
  readonly type: Type | "choice"
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

/**
 * `plain` is the bare question; `benchmark` adds the instruction that VLMEvalKit appends for the data set of that kind, `direct` the one
 * for open questions among multiple choice; `explain` asks for the reason before the answer.
 */
export type PromptStyle = "plain" | "benchmark" | "direct" | "explain"

export interface Wanted {
  /** The answer's key (`Task.keys`), or the letter of a multiple choice question. */
  readonly key?: string
  /** How many options a multiple choice question has: 2, 3 or 4. */
  readonly options?: number
}

/** The tasks of a data set and how its languages speak of them. */
export interface Questionnaire<Scene, Book extends CommonPhrases, Type extends string> {
  readonly tasks: Readonly<Record<Type, Task<Scene, Book>>>
  readonly phrasebooks: Readonly<Record<Language, Book>>
  /** Multiple choice asks one of these with options. */
  readonly choiceSources: ReadonlyArray<NoInfer<Type>>
  /** Answered by whole sentences, without an instruction. */
  readonly descriptions: ReadonlyArray<NoInfer<Type>>
}

/**
 * A candidate whose key is drawn first, so that frequent answers are not asked for more often; `key` fixes it. Where a scene allows
 * only one of yes and no the question is not asked, so that the two stay equally frequent.
 */
const draw = <Scene, Book>(
  task: Task<Scene, Book>,
  scene: Scene,
  random: Random,
  key?: string
): Candidate<Book> | undefined => {
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
const phrase = <Book extends CommonPhrases, Type extends string>(
  type: Type,
  { ask, reply, evidence }: Candidate<Book>,
  book: Book
): Question<Type> => {
  const reason = evidence?.(book)
  const answer = reply(book)
  const explained = reason === undefined ? answer : book.explained(reason, answer)
  const words = [ask(book), explained, answer, book.explain]
  const [text, full, short] = words.map(book.write)
  return { type, language: book.language, text: text!, answer: short!, explained: full!, options: [], words }
}

const shortAnswer = "Answer the question using a single word or phrase."
const chooseLetter = {
  en: "Answer with the option's letter from the given choices directly.",
  zh: "请直接回答选项字母。"
}
const answerDirectly = { en: "Answer the question directly.", zh: "请直接回答问题。" }

/** Asks the questions of a data set. */
export const asker = <Scene, Book extends CommonPhrases, Type extends string>(
  questionnaire: Questionnaire<Scene, Book, Type>
) => {
  const { tasks, phrasebooks, choiceSources, descriptions } = questionnaire
  const described = (type: string): boolean => (descriptions as ReadonlyArray<string>).includes(type)
  const yesNo = (type: Type | "choice"): boolean => type !== "choice" && tasks[type].keys === yesNoKeys

  const choiceQuestion = (
    scene: Scene,
    random: Random,
    book: Book,
    options: number,
    letter?: string
  ): Question<Type> | undefined => {
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

  /** A question of one type about a scene, or nothing where the scene does not allow one (or none with the wanted key). */
  const question = (
    scene: Scene,
    type: Type | "choice",
    language: Language,
    random: Random,
    wanted: Wanted = {}
  ): Question<Type> | undefined => {
    const book = phrasebooks[language]
    if (type === "choice") return choiceQuestion(scene, random, book, wanted.options ?? 4, wanted.key)
    const found = draw(tasks[type], scene, random, wanted.key)
    return found === undefined ? undefined : phrase(type, found, book)
  }

  /** The user's text without its image marker: the question, its options one a line, and an instruction. */
  const promptText = ({ type, language, text, options }: Question<Type>, style: PromptStyle): string => {
    const asked = text + options.map((option, i) => `\n${choiceLetters[i]}. ${option}`).join("")
    const { explain, write } = phrasebooks[language]
    if (style === "explain") return `${asked}\n${write(explain)}`
    if (style === "plain" || described(type)) return asked
    if (options.length > 0) return `${asked}\n${chooseLetter[language]}`
    if (style === "direct") return `${asked}\n${answerDirectly[language]}`
    return yesNo(type) ? `${asked} Please answer yes or no. ${shortAnswer}` : `${asked}\n${shortAnswer}`
  }

  /** What the model should answer to that prompt. */
  const answerText = ({ answer, explained }: Question<Type>, style: PromptStyle): string =>
    style === "explain" ? explained : answer

  return { question, promptText, answerText }
}
export type Asker<Scene, Type extends string> = Pick<
  ReturnType<typeof asker<Scene, CommonPhrases, Type>>,
  "question" | "promptText" | "answerText"
>
