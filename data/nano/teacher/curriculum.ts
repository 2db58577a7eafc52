/**
 * What the teacher is asked, and when. What needs two looks at a picture is learned only where most of the answers in a batch need it:
 * a question of one word is one token of the loss beside a caption's thirty. Each part of the curriculum therefore asks much of what is
 * next, and a little of everything that was learned before.
 */
import { warmupCosine } from "@speedq/tensors"
import { type Mixture, mixtures } from "../generator/index.ts"

interface Part {
  readonly steps: number
  readonly mixture: Mixture
}

export const curriculum: ReadonlyArray<Part> = [
  // From a place to what is there, one step at a time: captions. And back: what is where, by colour and by shape.
  {
    steps: 2000,
    mixture: {
      weights: { color: 1, shape: 1, locate: 3, read: 2, sort: 6 },
      mostQuestions: 3,
      captionPercent: 100,
      explainPercent: 0
    }
  },
  { steps: 1000, mixture: mixtures.everything },
  // From a thing to its place.
  {
    steps: 2000,
    mixture: {
      weights: { color: 1, shape: 1, locate: 7, read: 1, sort: 5, count: 2, exist: 2 },
      mostQuestions: 6,
      captionPercent: 20,
      explainPercent: 30
    }
  },
  { steps: 1000, mixture: mixtures.everything },
  // Whether something is there.
  {
    steps: 1000,
    mixture: {
      weights: { locate: 2, exist: 8, count: 6, verify: 8, choice: 2, sort: 1, word: 1, number: 1 },
      mostQuestions: 12,
      captionPercent: 10,
      explainPercent: 25
    }
  },
  // How often.
  {
    steps: 1000,
    mixture: {
      weights: {
        ...{ color: 1, shape: 1, locate: 1, read: 1, word: 1, number: 1, exist: 2, verify: 2 },
        ...{ count: 6, choice: 6, compare: 5, relation: 4 }
      },
      mostQuestions: 12,
      captionPercent: 10,
      explainPercent: 10
    }
  },
  // From an answer to its letter.
  {
    steps: 2000,
    mixture: {
      weights: { color: 1, shape: 1, locate: 1, word: 1, number: 1, exist: 1, verify: 1, count: 1, choice: 14 },
      mostQuestions: 12,
      captionPercent: 5,
      explainPercent: 50
    }
  },
  // How often, again. What two places have in common is not learned in this time.
  {
    steps: 1000,
    mixture: {
      weights: {
        ...{ color: 1, shape: 1, locate: 1, read: 2, word: 1, number: 1, exist: 1, verify: 1 },
        ...{ count: 5, choice: 3, compare: 12 }
      },
      mostQuestions: 12,
      captionPercent: 10,
      explainPercent: 30
    }
  },
  // All that was learned.
  {
    steps: 2000,
    mixture: {
      weights: {
        ...{ color: 2, shape: 2, locate: 3, read: 3, word: 2, number: 2, exist: 3, verify: 3 },
        ...{ count: 6, choice: 6 }
      },
      mostQuestions: 8,
      captionPercent: 50,
      explainPercent: 5
    }
  },
  // High counts, which few scenes have, and all the rest for good.
  {
    steps: 3000,
    mixture: {
      weights: {
        ...{ color: 1, shape: 1, locate: 4, read: 2, word: 2, number: 2, exist: 3, verify: 2 },
        ...{ count: 10, choice: 5 }
      },
      mostQuestions: 8,
      captionPercent: 40,
      explainPercent: 5,
      alikePercent: 40
    }
  }
]

export const totalSteps = curriculum.reduce((sum, { steps }) => sum + steps, 0)

/** What step `step` asks. */
export const mixtureOf = (step: number): Mixture => {
  let end = 0
  const part = curriculum.find(({ steps }) => step < (end += steps))
  if (part === undefined) throw new RangeError(`the curriculum has ${totalSteps} steps, not ${step + 1}`)
  return part.mixture
}

/** Steps of the last part, which has a warm-up and a decay of its own: what is new in it needs a rate that moves weights. */
const lastSteps = curriculum.at(-1)!.steps
const longRate = warmupCosine({ peak: 3e-3, warmupSteps: 100, totalSteps })
const lastRate = warmupCosine({ peak: 1e-3, warmupSteps: 100, totalSteps: lastSteps })

/** Learning rate of step `step`. */
export const rateOf = (step: number): number => {
  const first = totalSteps - lastSteps
  return step < first ? longRate(step) : lastRate(step - first)
}
