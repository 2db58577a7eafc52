/**
 * What the teacher is asked, and when. Parts follow what nano's training taught: first from a place to what is there, by captions; then
 * from a thing to its place; then whether and how often; then options. Each part asks much of what is next, and a little of everything
 * that was learned before. Pictures have one tile first, two tiles later, and last some are enlarged.
 */
import { allThings, type Mixture, mixtures } from "../generator/index.ts"

export interface Part {
  readonly steps: number
  readonly mixture: Mixture
  /** Share of the batches whose pictures are shown twice as large, in percent. */
  readonly enlargedPercent?: number
}

/** What is read off one place: learned first, and asked a little in every part. */
const places = { color: 1, shape: 1, side: 2, dots: 2, read: 2, number: 2 } as const

const bigAlone: Mixture = {
  weights: { color: 1, shape: 1, sort: 2 },
  mostQuestions: 2,
  captionPercent: 100,
  explainPercent: 0,
  layouts: [1, 0, 0],
  things: [1, 0, 0, 0],
  alikePercent: 0,
  varied: true
}

export const curriculum: ReadonlyArray<Part> = [
  // Where to look: big figures alone, each in the middle of its cell; then anywhere in it.
  { steps: 600, mixture: { ...bigAlone, varied: false } },
  { steps: 1400, mixture: bigAlone },
  // From a place to what is there: captions. And back: what is where, by colour and by shape.
  {
    steps: 4000,
    mixture: {
      weights: { ...places, sort: 5, locate: 2 },
      mostQuestions: 3,
      captionPercent: 100,
      explainPercent: 0,
      layouts: [1, 0, 0],
      things: allThings,
      varied: true,
      alikePercent: 10
    }
  },
  // From a thing to its place; pictures of two tiles.
  {
    steps: 3000,
    mixture: {
      weights: { ...places, sort: 8, locate: 10, count: 3, exist: 3 },
      mostQuestions: 5,
      captionPercent: 40,
      explainPercent: 30,
      layouts: [4, 1, 1],
      things: allThings,
      varied: true,
      alikePercent: 20
    }
  },
  { steps: 2000, mixture: { ...mixtures.everything, layouts: [3, 1, 1] } },
  // Whether something is there.
  {
    steps: 2000,
    mixture: {
      weights: { ...places, locate: 3, exist: 14, count: 8, verify: 14, choice: 4, sort: 2 },
      mostQuestions: 8,
      captionPercent: 20,
      explainPercent: 25,
      layouts: [4, 1, 1],
      things: allThings,
      varied: true,
      alikePercent: 20
    }
  },
  // From an answer to its letter.
  {
    steps: 3000,
    mixture: {
      weights: { ...places, locate: 2, exist: 2, verify: 2, count: 3, choice: 24 },
      mostQuestions: 8,
      captionPercent: 20,
      explainPercent: 40,
      layouts: [4, 1, 1],
      things: allThings,
      varied: true,
      alikePercent: 20
    }
  },
  // How often.
  {
    steps: 2000,
    mixture: {
      weights: { ...places, locate: 3, exist: 3, verify: 3, count: 16, choice: 6 },
      mostQuestions: 8,
      captionPercent: 25,
      explainPercent: 20,
      layouts: [4, 1, 1],
      things: allThings,
      varied: true,
      alikePercent: 40
    }
  },
  // All of it, in the forms of the benchmarks too, while the rate falls.
  {
    steps: 6000,
    mixture: {
      weights: { ...places, locate: 4, exist: 3, verify: 3, count: 7, choice: 6 },
      mostQuestions: 5,
      captionPercent: 60,
      explainPercent: 3,
      directPercent: 25,
      layouts: [3, 1, 1],
      things: allThings,
      varied: true,
      alikePercent: 20
    },
    enlargedPercent: 6
  }
]

export const totalSteps = curriculum.reduce((sum, { steps }) => sum + steps, 0)

/** What step `step` asks. */
export const partOf = (step: number): Part => {
  let end = 0
  const part = curriculum.find(({ steps }) => step < (end += steps))
  if (part === undefined) throw new RangeError(`the curriculum has ${totalSteps} steps, not ${step + 1}`)
  return part
}

const peak = 2e-3
const warmupSteps = 200
const decaySteps = curriculum.at(-1)!.steps
/** Learning rate of step `step`: constant, so that a part can be put in between, and falling to 0 in the last part. */
export const rateOf = (step: number): number =>
  peak * Math.min(1, (step + 1) / warmupSteps, (totalSteps - step) / decaySteps)
