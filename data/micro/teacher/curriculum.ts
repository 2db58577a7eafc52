/** What the teacher is asked, and when. */
import { type Mixture, mixtures } from "../generator/index.ts"

export interface Part {
  readonly steps: number
  readonly mixture: Mixture
  /** Share of the batches whose pictures are shown twice as large, in percent. */
  readonly enlargedPercent?: number
}

export const curriculum: ReadonlyArray<Part> = [
  {
    steps: 4000,
    mixture: {
      weights: { color: 1, shape: 1, side: 2, dots: 2, read: 2, number: 2, sort: 4 },
      mostQuestions: 3,
      captionPercent: 100,
      explainPercent: 0,
      layouts: [1, 0, 0],
      alikePercent: 10
    }
  },
  { steps: 4000, mixture: mixtures.everything }
]

export const totalSteps = curriculum.reduce((sum, { steps }) => sum + steps, 0)

/** What step `step` asks. */
export const partOf = (step: number): Part => {
  let end = 0
  const part = curriculum.find(({ steps }) => step < (end += steps))
  if (part === undefined) throw new RangeError(`the curriculum has ${totalSteps} steps, not ${step + 1}`)
  return part
}

const warmupSteps = 200
const decaySteps = curriculum.at(-1)!.steps
/** Learning rate of step `step`: constant, so that parts can be put in between, and falling to 0 in the last part. */
export const rateOf = (step: number, peak: number): number =>
  peak * Math.min(1, (step + 1) / warmupSteps, (totalSteps - step) / decaySteps)
