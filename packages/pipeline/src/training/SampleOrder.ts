/** The order in which samples are trained on: seeded, grouped by length, a pure function of seed and epoch, so that it needs no saving. */
import { Random } from "@speedq/tensors"

export interface SampleOrderOptions {
  readonly count: number
  /** Samples of a micro-batch, and micro-batches of an optimizer step. */
  readonly batch: number
  readonly accumulation: number
  readonly seed: number
  /** Length of a sample in tokens; without it samples are not grouped. */
  readonly lengthOf?: (sample: number) => number
}

/** Optimizer steps of an epoch; the last may have fewer samples. */
export const stepsPerEpoch = ({ count, batch, accumulation }: SampleOrderOptions): number =>
  Math.ceil(count / (batch * accumulation))

/**
 * Longest samples first, each to the micro-batch that is shortest so far, until that is full: micro-batches of nearly
 * equal length, with little padding (the reference's length-grouped sampler, internvl3.md 5.8).
 */
const balance = (samples: readonly number[], batch: number, lengthOf: (sample: number) => number): number[][] => {
  const sorted = [...samples].sort((a, b) => lengthOf(b) - lengthOf(a))
  const chunks = Array.from({ length: Math.ceil(samples.length / batch) }, () => ({ members: [] as number[], sum: 0 }))
  for (const sample of sorted) {
    const open = chunks.filter(({ members }) => members.length < batch)
    const shortest = open.reduce((best, chunk) => (chunk.sum < best.sum ? chunk : best))
    shortest.members.push(sample)
    shortest.sum += lengthOf(sample)
  }
  return chunks.map(({ members }) => members)
}

/** Micro-batches of every optimizer step of an epoch. */
export const epochOrder = (options: SampleOrderOptions, epoch: number): readonly (readonly number[][])[] => {
  const { count, batch, accumulation, seed, lengthOf } = options
  const shuffled = [...Random.make(seed, `samples of epoch ${epoch}`).permutation(count)]
  const perStep = batch * accumulation
  return Array.from({ length: stepsPerEpoch(options) }, (_, step) => {
    const samples = shuffled.slice(step * perStep, (step + 1) * perStep)
    if (lengthOf !== undefined) return balance(samples, batch, lengthOf)
    return Array.from({ length: Math.ceil(samples.length / batch) }, (_, i) =>
      samples.slice(i * batch, (i + 1) * batch)
    )
  })
}
