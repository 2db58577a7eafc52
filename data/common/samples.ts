/** Training samples: a scene with a conversation of several questions about it, captions last. */
import type { Random } from "@speedq/tensors"
import { chance, weighted } from "./draws.ts"
import type { Asker, PromptStyle, Question } from "./questions.ts"
import type { Language } from "./Task.ts"

export interface Turn<Type extends string> {
  readonly question: Question<Type>
  readonly style: PromptStyle
}
export interface Sample<Scene, Type extends string> {
  readonly scene: Scene
  readonly turns: ReadonlyArray<Turn<Type>>
}

/** How often each type is asked (whole weights), and how many questions come before a caption. */
export interface Mixture<Type extends string> {
  readonly weights: Readonly<Partial<Record<Type | "choice", number>>>
  /** 1 when absent. */
  readonly leastQuestions?: number
  readonly mostQuestions: number
  /** Share of the conversations that end with a caption, in percent. */
  readonly captionPercent: number
  /** Share of the questions that ask for an explanation where there is one, in percent. */
  readonly explainPercent: number
  /** Share of the instructions that ask for a direct answer where there are no options, in percent; none when absent. */
  readonly directPercent?: number
}

/** One message of a LLaVA-style conversation. */
export interface Message {
  readonly from: "human" | "gpt"
  readonly value: string
}

/** Makes the samples of a data set. */
export const sampler = <Scene, Type extends string, M extends Mixture<Type>>(
  { question, promptText, answerText }: Asker<Scene, Type | "caption">,
  drawScene: (random: Random, mixture: M) => Scene
) => {
  type Kind = Type | "caption"

  /** A quarter of the first questions carry the instruction of the benchmarks, as their prompts will. */
  const styleOf = (asked: Question<Kind>, first: boolean, mixture: M, random: Random): PromptStyle => {
    if (asked.explained !== asked.answer && chance(random, mixture.explainPercent, 100)) return "explain"
    if (!first || !chance(random, 1, 4)) return "plain"
    // Without a share no number is drawn: the streams of other mixtures stay what they were.
    return mixture.directPercent !== undefined && chance(random, mixture.directPercent, 100) ? "direct" : "benchmark"
  }

  const makeSample = (random: Random, mixture: M): Sample<Scene, Kind> => {
    const scene = drawScene(random, mixture)
    const language: Language = chance(random, 1, 2) ? "en" : "zh"
    const types = Object.keys(mixture.weights) as Array<Type | "choice">
    const weights = types.map((type) => mixture.weights[type] ?? 0)
    const least = mixture.leastQuestions ?? 1
    const wanted = least + random.nextInteger(mixture.mostQuestions - least + 1)
    const asked: Array<Question<Kind>> = []
    // A scene without writing has no word to read: what cannot be asked is drawn again, a bounded number of times.
    for (let tries = 0; asked.length < wanted && tries < 20; tries++) {
      const type = types[weighted(random, weights)]!
      const found = question(scene, type, language, random, { options: 2 + weighted(random, [1, 1, 2]) })
      if (found !== undefined && asked.every(({ text }) => text !== found.text)) asked.push(found)
    }
    if (asked.length === 0 || chance(random, mixture.captionPercent, 100))
      asked.push(question(scene, "caption", language, random)!)
    return {
      scene,
      turns: asked.map((each, i) => ({ question: each, style: styleOf(each, i === 0, mixture, random) }))
    }
  }

  const conversation = ({ turns }: Sample<Scene, Kind>): ReadonlyArray<Message> =>
    turns.flatMap(
      (turn, i): Array<Message> => [
        { from: "human", value: (i === 0 ? "<image>\n" : "") + promptText(turn.question, turn.style) },
        { from: "gpt", value: answerText(turn.question, turn.style) }
      ]
    )

  return { makeSample, conversation }
}

/** A conversation as the chat template renders it, without its image. */
export const renderedText = (messages: ReadonlyArray<Message>): string => {
  const marks = { human: "user", gpt: "assistant" }
  return messages
    .map(({ from, value }) => `<|im_start|>${marks[from]}\n${value.replace("<image>\n", "")}<|im_end|>`)
    .join("\n")
}
