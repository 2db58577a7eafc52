/** The order in which samples are trained on: seeded, grouped by length, a pure function of seed and epoch, so that it needs no saving. */
import { Random } from "@speedq/tensors"

export interface SampleOrderOptions {
  readonly count: number
  /** Samples of a micro-batch, and micro-batches of an optimizer step. */
  readonly batch: number
  readonly accumulation: number
  readonly seed: number
  /** Leaves out the last step of an epoch where it is incomplete, unless it is the only one. */
  readonly dropsLast?: boolean
  /** Length of a sample in tokens; without it samples are not grouped. */
  readonly lengthOf?: LengthOf
}

/** Micro-batches of an epoch; the last may have fewer samples. */
export const microBatchesPerEpoch = ({ count, batch }: Pick<SampleOrderOptions, "count" | "batch">): number =>
  Math.ceil(count / batch)

/** Optimizer steps of an epoch; the last may have fewer samples. */
export const stepsPerEpoch = ({
  accumulation,
  dropsLast = false,
  ...samples
}: Omit<SampleOrderOptions, "seed">): number => {
  const steps = microBatchesPerEpoch(samples) / accumulation
  return dropsLast ? Math.max(1, Math.floor(steps)) : Math.ceil(steps)
}

type LengthOf = (sample: number) => number

/**
 * The order of one step's samples, by length (the reference's sampler, docs/method.md, "Order of samples"): longest
 * first, each to the part that is shortest so far, until that is full; a number of samples that the parts do not divide
 * is dealt out instead.
 */
const balanced = (samples: readonly number[], parts: number, lengthOf: LengthOf): readonly number[] => {
  const sorted = [...samples].sort((a, b) => lengthOf(b) - lengthOf(a))
  const chunks = Array.from({ length: parts }, () => ({ members: [] as number[], sum: 0 }))
  if (samples.length % parts !== 0) {
    for (const [place, sample] of sorted.entries()) chunks[place % parts]!.members.push(sample)
    return chunks.flatMap(({ members }) => members)
  }
  const capacity = samples.length / parts
  for (const sample of sorted) {
    const open = chunks.filter(({ members }) => members.length < capacity)
    const shortest = open.reduce((best, chunk) => (chunk.sum < best.sum ? chunk : best))
    shortest.members.push(sample)
    shortest.sum += lengthOf(sample)
  }
  return chunks.flatMap(({ members }) => members)
}

/** Micro-batches of every optimizer step of an epoch. */
export const epochOrder = (options: SampleOrderOptions, epoch: number): readonly (readonly number[][])[] => {
  const { count, batch, accumulation, seed, lengthOf } = options
  const shuffled = [...Random.make(seed, `samples of epoch ${epoch}`).permutation(count)]
  const perStep = batch * accumulation
  return Array.from({ length: stepsPerEpoch(options) }, (_, step) => {
    const drawn = shuffled.slice(step * perStep, (step + 1) * perStep)
    const samples = lengthOf === undefined ? drawn : balanced(drawn, accumulation, lengthOf)
    return Array.from({ length: Math.ceil(samples.length / batch) }, (_, i) =>
      samples.slice(i * batch, (i + 1) * batch)
    )
  })
}
