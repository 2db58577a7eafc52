/** Training samples: a scene with a conversation of several questions about it, captions last. */
import type { Random } from "@speedq/tensors/random/Random"
import { chance, weighted } from "./draws.ts"
import type { Language } from "./Phrasebook.ts"
import { type PromptStyle, promptText, type Question, question } from "./questions.ts"
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
  /** Share of the questions that the steps towards them precede, in percent. */
  readonly stepPercent: number
}

/**
 * The curriculum. Naming what is where comes first: everything else is built on it, and trained from the start the other types
 * hold it back. What needs several looks then comes after its single looks, and at last mostly alone.
 */
export const mixtures = {
  first: {
    weights: { color: 3, shape: 3, size: 2, locate: 8, read: 2, word: 3, number: 3 },
    mostQuestions: 3,
    captionPercent: 70,
    stepPercent: 0
  },
  second: {
    weights: { locate: 4, exist: 4, count: 3, verify: 4, compare: 3, choice: 4, relation: 3 },
    mostQuestions: 4,
    captionPercent: 10,
    stepPercent: 40
  },
  all: {
    weights: {
      ...{ color: 2, shape: 2, size: 1, locate: 3, read: 3, word: 4, number: 4 },
      ...{ count: 4, exist: 4, verify: 3, compare: 3, relation: 4, choice: 5 }
    },
    mostQuestions: 3,
    captionPercent: 50,
    stepPercent: 15
  }
} as const satisfies Record<string, Mixture>

/** A quarter of the first questions carry the instruction of the benchmarks, as their prompts will. */
const firstStyle = (random: Random): PromptStyle => (chance(random, 1, 4) ? "benchmark" : "plain")

export const makeSample = (random: Random, mixture: Mixture = mixtures.all): Sample => {
  const scene = makeScene(random)
  const language: Language = chance(random, 1, 2) ? "en" : "zh"
  const types = Object.keys(mixture.weights) as Array<TaskType>
  const weights = types.map((type) => mixture.weights[type] ?? 0)
  const wanted = 1 + random.nextInteger(mixture.mostQuestions)
  const asked: Array<Question> = []
  const texts = new Set<string>()
  // A scene without writing has no word to read: what cannot be asked is drawn again, a bounded number of times.
  for (let tries = 0; asked.length < wanted && tries < 20; tries++) {
    const type = types[weighted(random, weights)]!
    const found = question(scene, type, language, random, { options: 2 + weighted(random, [1, 1, 2]) })
    if (found === undefined || texts.has(found.text)) continue
    for (const next of chance(random, mixture.stepPercent, 100) ? [...found.steps, found] : [found]) {
      if (next === found || !texts.has(next.text)) asked.push(next)
      texts.add(next.text)
    }
  }
  if (asked.length === 0 || chance(random, mixture.captionPercent, 100))
    asked.push(question(scene, "caption", language, random)!)
  return { scene, turns: asked.map((each, i) => ({ question: each, style: i === 0 ? firstStyle(random) : "plain" })) }
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
      { from: "gpt", value: turn.question.answer }
    ]
  )
