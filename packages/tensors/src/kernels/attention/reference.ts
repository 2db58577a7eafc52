import type { Factor } from "../../core/Arithmetic.ts"
import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type AttentionAttributes, type AttentionSize, attentionSize, visibleKeys } from "./geometry.ts"

type Operands = "q" | "k" | "v" | "keyMask"

interface Row {
  /** Position in lists of [B, H, T]. */
  readonly statistic: number
  /** Where the query's row starts in [B, T, H, D]. */
  readonly query: number
  /** Where the row of each key that it sees starts in [B, S, G, D]. */
  readonly keys: readonly number[]
}

/** Every row of scores: a query of one head, and the keys that it sees. */
function* scoreRows(
  size: AttentionSize,
  attributes: AttentionAttributes,
  keyMask: Float64Array | undefined
): Generator<Row> {
  const { batch, queries, keys, heads, groups, width } = size
  for (let item = 0; item < batch; item++) {
    for (let head = 0; head < heads; head++) {
      const group = Math.floor((head * groups) / heads)
      for (let query = 0; query < queries; query++) {
        const seen: number[] = []
        for (let key = 0; key < visibleKeys(size, attributes, query); key++) {
          if (keyMask === undefined || keyMask[item * keys + key] !== 0) {
            seen.push(((item * keys + key) * groups + group) * width)
          }
        }
        yield {
          statistic: (item * heads + head) * queries + query,
          query: ((item * queries + query) * heads + head) * width,
          keys: seen
        }
      }
    }
  }
}

const inner = (a: Float64Array, startA: number, b: Float64Array, startB: number, width: number): number => {
  let sum = 0
  for (let i = 0; i < width; i++) sum += a[startA + i]! * b[startB + i]!
  return sum
}

/** target[start + i] += factor source[from + i] */
const addScaled = (
  target: Float64Array,
  start: number,
  factor: number,
  source: Float64Array,
  from: number,
  width: number
): void => {
  for (let i = 0; i < width; i++) target[start + i]! += factor * source[from + i]!
}

/**
 * y = sum over keys of softmax(scale q k) v; logSumExp = log of sum of exp(scale q k), -infinity where no key is seen. Of the product
 * with v, exponentials are the factors: what they are divided by is no factor, and sums them as they are.
 */
export const reference = (
  { keyMask, ...factors }: Arrays<Operands>,
  { y, logSumExp }: Arrays<"y" | "logSumExp">,
  { inputs }: Geometry<Operands, "y" | "logSumExp">,
  attributes: AttentionAttributes,
  factor: Factor
): void => {
  const size = attentionSize("attention", inputs, attributes)
  const { width } = size
  const [q, k, v] = [factors.q.map(factor), factors.k.map(factor), factors.v.map(factor)]
  y.fill(0)
  for (const row of scoreRows(size, attributes, keyMask)) {
    const scores = row.keys.map((key) => attributes.scale * inner(q, row.query, k, key, width))
    const shift = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
    const powers = scores.map((score) => Math.exp(score - shift))
    const total = powers.reduce((sum, power) => sum + power, 0)
    logSumExp[row.statistic] = shift + Math.log(total)
    for (const [index, key] of row.keys.entries()) {
      addScaled(y, row.query, factor(powers[index]!) / total, v, key, width)
    }
  }
}

/**
 * With p = exp(score - logSumExp), dp = dy v and D = dy y: dscore = p (dp - D);
 * dq = scale sum over keys of dscore k, dk = scale sum over queries of dscore q, dv = sum over queries of p dy
 */
export const referenceGradient = (
  { y, logSumExp, dy, keyMask, ...factors }: Arrays<Operands | "y" | "logSumExp" | "dy">,
  { dq, dk, dv }: Arrays<"dq" | "dk" | "dv">,
  { inputs }: Geometry<Operands | "y" | "logSumExp" | "dy", "dq" | "dk" | "dv">,
  attributes: AttentionAttributes,
  factor: Factor
): void => {
  const size = attentionSize("attentionGradient", inputs, attributes)
  const { width } = size
  const [q, k, v] = [factors.q.map(factor), factors.k.map(factor), factors.v.map(factor)]
  const downstream = dy.map(factor)
  for (const gradient of [dq, dk, dv]) gradient.fill(0)
  for (const row of scoreRows(size, attributes, keyMask)) {
    const across = inner(dy, row.query, y, row.query, width)
    for (const key of row.keys) {
      const p = Math.exp(attributes.scale * inner(q, row.query, k, key, width) - logSumExp[row.statistic]!)
      const dscore = attributes.scale * p * (inner(downstream, row.query, v, key, width) - across)
      addScaled(dq, row.query, factor(dscore), k, key, width)
      addScaled(dk, key, factor(dscore), q, row.query, width)
      addScaled(dv, key, factor(p), downstream, row.query, width)
    }
  }
}
