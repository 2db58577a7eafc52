/** Choosing the next token from logits. */
import type { Random } from "@speedq/tensors"

/** A rule that picks a token id from the logits of one row, [V]. */
export type Sampler = (logits: Float32Array) => number

/** The most likely token; the lowest id of equal ones. */
export const greedy: Sampler = (logits) => {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  return best
}

export interface NucleusOptions {
  /** Logits are divided by it; above 0. */
  readonly temperature: number
  /** Smallest set of most likely tokens with at least this probability is drawn from; in (0, 1]. */
  readonly topP: number
  readonly random: Random
}

/** Temperature and top-p sampling (arXiv:1904.09751): reproducible from the state of `random`. */
export const nucleus = ({ temperature, topP, random }: NucleusOptions): Sampler => {
  if (!(temperature > 0)) throw new RangeError(`temperature is ${temperature}; it must be above 0, or use greedy`)
  if (!(topP > 0 && topP <= 1)) throw new RangeError(`topP is ${topP}; it must be above 0 and at most 1`)
  return (logits) => {
    const peak = logits[greedy(logits)]!
    const weights = new Float64Array(logits.length)
    let total = 0
    for (let id = 0; id < logits.length; id++) {
      weights[id] = Math.exp((logits[id]! - peak) / temperature)
      total += weights[id]!
    }
    const { ids, mass } = mostLikely(weights, total, topP)
    let left = random.nextUniform() * mass
    for (const id of ids) {
      left -= weights[id]!
      if (left < 0) return id
    }
    return ids[ids.length - 1]!
  }
}

/** The smallest set of most likely ids that holds the share `topP` of `total`, and what it holds. */
const mostLikely = (
  weights: Float64Array,
  total: number,
  topP: number
): { readonly ids: readonly number[]; readonly mass: number } => {
  // All ids lighter than this hold less than what may be left out, so none of them is needed: few are sorted.
  const least = ((1 - topP) * total) / weights.length
  const candidates: number[] = []
  for (let id = 0; id < weights.length; id++) if (weights[id]! >= least) candidates.push(id)
  if (topP < 1) candidates.sort((a, b) => weights[b]! - weights[a]! || a - b)
  let kept = 0
  let mass = 0
  while (kept < candidates.length && mass < topP * total) mass += weights[candidates[kept++]!]!
  return { ids: candidates.slice(0, kept), mass }
}
