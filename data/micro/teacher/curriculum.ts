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
  /** The rate that falls to 0 over the part; without it, the rate is constant. */
  readonly fallsFrom?: number
}

const peak = 2e-3
const warmupSteps = 200

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

/** Every type, in the forms of the benchmarks too; `count` and `choice` are the weights of counting and of options. */
const allOfIt = (count: number, choice = 6): Mixture => ({
  weights: { ...places, locate: 4, exist: 3, verify: 3, count, choice },
  mostQuestions: 5,
  captionPercent: 60,
  explainPercent: 3,
  directPercent: 25,
  layouts: [3, 1, 1],
  things: allThings,
  varied: true,
  alikePercent: 20
})

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
    mixture: allOfIt(7),
    enlargedPercent: 6,
    fallsFrom: peak
  },
  // What was learned least, counting, once more among the rest.
  {
    steps: 3000,
    mixture: allOfIt(24),
    enlargedPercent: 6,
    fallsFrom: peak / 2
  },
  // The benchmarks' own ways: options in every order, and pictures twice as large, of which dots are the hardest.
  {
    steps: 3000,
    mixture: allOfIt(12, 20),
    enlargedPercent: 30,
    fallsFrom: peak / 2
  },
  {
    steps: 2500,
    mixture: { ...allOfIt(12, 16), weights: { ...allOfIt(12, 16).weights, dots: 8 } },
    enlargedPercent: 60,
    fallsFrom: peak / 2
  },
  // Counting suffered: all of it a last time.
  {
    steps: 2500,
    mixture: allOfIt(24, 14),
    enlargedPercent: 25,
    fallsFrom: peak / 4
  }
]

export const totalSteps = curriculum.reduce((sum, { steps }) => sum + steps, 0)

/** The part that step `step` is in, and how many of its steps are left, this one among them. */
const placeOf = (step: number) => {
  let end = 0
  const part = curriculum.find(({ steps }) => step < (end += steps))
  if (part === undefined) throw new RangeError(`the curriculum has ${totalSteps} steps, not ${step + 1}`)
  return { part, left: end - step }
}

/** What step `step` asks. */
export const partOf = (step: number): Part => placeOf(step).part

/** Learning rate of step `step`: constant after the warm-up, so that a part can be put in between; it falls in the last parts. */
export const rateOf = (step: number): number => {
  const { part, left } = placeOf(step)
  if (part.fallsFrom !== undefined) return part.fallsFrom * (left / part.steps)
  return peak * Math.min(1, (step + 1) / warmupSteps)
}
