/** Samples of this data set: a scene of a mixture's kind, with what is asked about it. */
import type { Random } from "@speedq/tensors"
import { chance } from "../../common/draws.ts"
import { type Mixture as CommonMixture, type Sample as CommonSample, sampler } from "../../common/samples.ts"
import { answerText, promptText, question } from "./questions.ts"
import { makeScene, type Scene } from "./Scene.ts"
import type { TaskType } from "./tasks.ts"

type Type = Exclude<TaskType, "choice">
export type Sample = CommonSample<Scene, Type>
export interface Mixture extends CommonMixture<Type> {
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

const samples = sampler<Scene, Type, Mixture>({ question, promptText, answerText }, (random, { alikePercent }) => {
  // Without a share no number is drawn: the streams of other mixtures stay what they were.
  const alike = alikePercent !== undefined && chance(random, alikePercent, 100)
  return makeScene(random, "train", alike)
})

export const makeSample = (random: Random, mixture: Mixture = mixtures.shipped): Sample =>
  samples.makeSample(random, mixture)
export const { conversation } = samples
