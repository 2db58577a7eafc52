/** Samples of this data set: a scene of a mixture's kind, with what is asked about it. */
import { type Mixture as CommonMixture, type Sample as CommonSample, sampler } from "../../common/samples.ts"
import { answerText, promptText, question } from "./questions.ts"
import { type Draw, makeScene, type Scene } from "./Scene.ts"
import type { TaskType } from "./tasks.ts"

export type Sample = CommonSample<Scene, TaskType>
export type Mixture = CommonMixture<TaskType> & Draw

/** Of three pictures one has two tiles. */
const layouts = [6, 2, 1] as const
export const allThings = [5, 3, 4, 2] as const

/** `everything` has all types and forms; `shipped` is what the data set asks. A teacher's curriculum adds its own. */
export const mixtures = {
  everything: {
    weights: {
      ...{ color: 1, shape: 1, side: 2, dots: 2, read: 2, number: 2, locate: 3 },
      ...{ count: 4, exist: 3, verify: 3, choice: 5, sort: 2 }
    },
    mostQuestions: 8,
    captionPercent: 40,
    explainPercent: 30,
    directPercent: 25,
    layouts,
    things: allThings,
    varied: true,
    alikePercent: 20
  },
  shipped: {
    weights: {
      ...{ color: 1, shape: 1, side: 2, dots: 2, read: 2, number: 2, locate: 2 },
      ...{ count: 3, exist: 2, verify: 2, choice: 4 }
    },
    mostQuestions: 4,
    captionPercent: 60,
    explainPercent: 0,
    directPercent: 25,
    layouts,
    things: allThings,
    varied: true,
    alikePercent: 15
  }
} as const satisfies Record<string, Mixture>

export const { makeSample, conversation } = sampler<Scene, TaskType, Mixture>(
  { question, promptText, answerText },
  (random, mixture) => makeScene(random, mixture)
)
