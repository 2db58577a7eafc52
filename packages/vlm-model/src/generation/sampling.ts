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
    const weights = Float64Array.from(logits, (logit) => Math.exp((logit - peak) / temperature))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const order = Int32Array.from(weights.keys()).sort((a, b) => weights[b]! - weights[a]! || a - b)
    let kept = 0
    let mass = 0
    while (kept < order.length && mass < topP * total) mass += weights[order[kept++]!]!
    let left = random.nextUniform() * mass
    for (let i = 0; i < kept; i++) {
      left -= weights[order[i]!]!
      if (left < 0) return order[i]!
    }
    return order[Math.max(0, kept - 1)]!
  }
}
