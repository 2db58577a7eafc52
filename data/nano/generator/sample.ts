/** Training samples: a scene with a conversation of several questions about it, captions last. */
import type { Random } from "@speedq/tensors"
import { chance, weighted } from "./draws.ts"
import type { Language } from "./Phrasebook.ts"
import { answerText, type PromptStyle, promptText, type Question, question } from "./questions.ts"
import { makeScene, type Scene } from "./Scene.ts"
import type { TaskType } from "./tasks.ts"

export interface Turn {
  readonly question: Question
  readonly style: PromptStyle
}
export interface Sample {
  readonly scene: Scene
  readonly turns: ReadonlyArray<Turn>
}

/** How often each type is asked (whole weights), and how many questions come before a caption. */
export interface Mixture {
  readonly weights: Readonly<Partial<Record<TaskType, number>>>
  readonly mostQuestions: number
  /** Share of the conversations that end with a caption, in percent. */
  readonly captionPercent: number
  /** Share of the questions that ask for an explanation where there is one, in percent. */
  readonly explainPercent: number
  /** Share of the scenes whose figures are alike, in percent; 0 when absent. */
  readonly alikePercent?: number
}

/** `everything` has all types and forms; `shipped` is what the data set asks. A teacher's curriculum adds its own. */
export const mixtures = {
  everything: {
    weights: {
      ...{ color: 1, shape: 1, locate: 3, read: 2, word: 3, number: 3, sort: 2 },
      ...{ count: 5, exist: 4, verify: 4, compare: 4, relation: 4, choice: 5 }
    },
    mostQuestions: 12,
    captionPercent: 30,
    explainPercent: 40
  },
  shipped: {
    weights: {
      ...{ color: 2, shape: 2, locate: 3, read: 3, word: 4, number: 4 },
      ...{ count: 4, exist: 4, verify: 3, choice: 5 }
    },
    mostQuestions: 3,
    captionPercent: 50,
    explainPercent: 0
  }
} as const satisfies Record<string, Mixture>

/** A quarter of the first questions carry the instruction of the benchmarks, as their prompts will. */
const styleOf = (question: Question, first: boolean, mixture: Mixture, random: Random): PromptStyle => {
  if (question.explained !== question.answer && chance(random, mixture.explainPercent, 100)) return "explain"
  return first && chance(random, 1, 4) ? "benchmark" : "plain"
}

export const makeSample = (random: Random, mixture: Mixture = mixtures.shipped): Sample => {
  // Without a share no number is drawn: the streams of other mixtures stay what they were.
  const alike = mixture.alikePercent !== undefined && chance(random, mixture.alikePercent, 100)
  const scene = makeScene(random, "train", alike)
  const language: Language = chance(random, 1, 2) ? "en" : "zh"
  const types = Object.keys(mixture.weights) as Array<TaskType>
  const weights = types.map((type) => mixture.weights[type] ?? 0)
  const wanted = 1 + random.nextInteger(mixture.mostQuestions)
  const asked: Array<Question> = []
  // A scene without writing has no word to read: what cannot be asked is drawn again, a bounded number of times.
  for (let tries = 0; asked.length < wanted && tries < 20; tries++) {
    const type = types[weighted(random, weights)]!
    const found = question(scene, type, language, random, { options: 2 + weighted(random, [1, 1, 2]) })
    if (found !== undefined && asked.every(({ text }) => text !== found.text)) asked.push(found)
  }
  if (asked.length === 0 || chance(random, mixture.captionPercent, 100))
    asked.push(question(scene, "caption", language, random)!)
  return { scene, turns: asked.map((each, i) => ({ question: each, style: styleOf(each, i === 0, mixture, random) })) }
}

/** One message of a LLaVA-style conversation. */
export interface Message {
  readonly from: "human" | "gpt"
  readonly value: string
}

export const conversation = ({ turns }: Sample): ReadonlyArray<Message> =>
  turns.flatMap(
    (turn, i): Array<Message> => [
      { from: "human", value: (i === 0 ? "<image>\n" : "") + promptText(turn.question, turn.style) },
      { from: "gpt", value: answerText(turn.question, turn.style) }
    ]
  )
