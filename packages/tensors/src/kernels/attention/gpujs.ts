import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { logarithm, power, quotient } from "../../backends/gpujs/numbers.ts"
import { mostOfRows, plainSumRows } from "../../backends/gpujs/reductions.ts"
import { type AttentionAttributes, type AttentionSize, attentionSize } from "./geometry.ts"

/** Elements of a block of scores [B H, rows, S]: 64 MiB. */
const mostScores = 2 ** 24

const helpers = [logarithm, power, quotient]

// Numbers of rows have names: `query` and `key` count over all items, as `quotient` wants them below 2^20, and `row` counts
// the rows of scores of a block, of which there are fewer than `mostScores`. Positions of elements, which may be larger, are
// written inside the index.

/** scale q k of query y and key x; the least f32 stands for a key that is not seen: below every score, and finite. */
function scoreOf(this: Thread, q: Values, k: Values, keyMask: Values, scale: number) {
  const item = quotient(this.thread.z, this.constants.heads)
  const head = this.thread.z - item * this.constants.heads
  const group = quotient(head, this.constants.share)
  const query = item * this.constants.queries + this.constants.first + this.thread.y
  const key = item * this.constants.keys + this.thread.x
  if (this.constants.causal === 1) {
    if (this.thread.x > this.constants.first + this.thread.y + this.constants.keys - this.constants.queries) {
      return -3.4028234663852886e38
    }
  }
  if (this.constants.masked === 1) {
    if (keyMask[key | 0] === 0) {
      return -3.4028234663852886e38
    }
  }
  let sum = 0
  for (let i = 0; i < this.constants.width; i++) {
    sum +=
      q[((query | 0) * this.constants.heads + (head | 0)) * this.constants.width + i] *
      k[((key | 0) * this.constants.groups + (group | 0)) * this.constants.width + i]
  }
  return sum * scale
}

/**
 * exp(score - most) of a key that is seen, 0 of one that is not; NaN where nothing but scores of -infinity is seen. All
 * three are per row of the block.
 */
function powerOf(this: Thread, scores: Values, most: Values) {
  const score = scores[this.thread.y * this.constants.keys + this.thread.x]
  if (score < -3e38) {
    if (score < -3.4028234663852886e38) {
      if (most[this.thread.y] < -3e38) {
        return score - score
      }
    }
    return 0
  }
  return power(score - most[this.thread.y])
}

/** log of the sum of exp of query x of head y, or what is there already outside of the block. */
function logSumExpOf(this: Thread, most: Values, total: Values, before: Values) {
  if (this.thread.x >= this.constants.first) {
    if (this.thread.x < this.constants.first + this.constants.rows) {
      const row = this.thread.y * this.constants.rows + this.thread.x - this.constants.first
      return most[row | 0] + logarithm(total[row | 0])
    }
  }
  if (this.constants.first === 0) {
    return 0
  }
  return before[this.thread.y * this.constants.queries + this.thread.x]
}

/** Element x of head y of token z: the sum of powers times v over their total; a query that sees nothing gets 0. */
function mixed(this: Thread, powers: Values, total: Values, v: Values, before: Values) {
  const item = quotient(this.thread.z, this.constants.queries)
  const query = this.thread.z - item * this.constants.queries
  const group = quotient(this.thread.y, this.constants.share)
  if (query < this.constants.first) {
    return before[(this.thread.z * this.constants.heads + this.thread.y) * this.constants.width + this.thread.x]
  }
  if (query >= this.constants.first + this.constants.rows) {
    return 0
  }
  const row = (item * this.constants.heads + this.thread.y) * this.constants.rows + query - this.constants.first
  const key = item * this.constants.keys
  const whole = total[row | 0]
  if (whole === 0) {
    return 0
  }
  let sum = 0
  for (let i = 0; i < this.constants.keys; i++) {
    sum +=
      powers[(row | 0) * this.constants.keys + i] *
      v[(((key | 0) + i) * this.constants.groups + (group | 0)) * this.constants.width + this.thread.x]
  }
  return sum / whole
}

/** exp(score - logSumExp): the probabilities of the block, [B H, rows, S]. */
function probabilityOf(this: Thread, scores: Values, logSumExp: Values) {
  const score = scores[(this.thread.z * this.constants.rows + this.thread.y) * this.constants.keys + this.thread.x]
  if (score < -3e38) {
    return 0
  }
  return power(score - logSumExp[this.thread.z * this.constants.queries + this.constants.first + this.thread.y])
}

/** Inner product of dy and y for head x of token y. */
function acrossOf(this: Thread, dy: Values, y: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.width; i++) {
    sum +=
      dy[(this.thread.y * this.constants.heads + this.thread.x) * this.constants.width + i] *
      y[(this.thread.y * this.constants.heads + this.thread.x) * this.constants.width + i]
  }
  return sum
}

/** dscore = scale p (dy v - across) of the block. */
function scoreSlope(this: Thread, p: Values, dy: Values, v: Values, across: Values, scale: number) {
  const item = quotient(this.thread.z, this.constants.heads)
  const head = this.thread.z - item * this.constants.heads
  const group = quotient(head, this.constants.share)
  const query = item * this.constants.queries + this.constants.first + this.thread.y
  const key = item * this.constants.keys + this.thread.x
  let sum = 0
  for (let i = 0; i < this.constants.width; i++) {
    sum +=
      dy[((query | 0) * this.constants.heads + (head | 0)) * this.constants.width + i] *
      v[((key | 0) * this.constants.groups + (group | 0)) * this.constants.width + i]
  }
  return (
    scale *
    p[(this.thread.z * this.constants.rows + this.thread.y) * this.constants.keys + this.thread.x] *
    (sum - across[(query | 0) * this.constants.heads + (head | 0)])
  )
}

/** Element x of head y of token z of dq: sum over keys of dscore k; before and after the block as in `mixed`. */
function querySlope(this: Thread, dscores: Values, k: Values, before: Values) {
  const item = quotient(this.thread.z, this.constants.queries)
  const query = this.thread.z - item * this.constants.queries
  const group = quotient(this.thread.y, this.constants.share)
  if (query < this.constants.first) {
    return before[(this.thread.z * this.constants.heads + this.thread.y) * this.constants.width + this.thread.x]
  }
  if (query >= this.constants.first + this.constants.rows) {
    return 0
  }
  const row = (item * this.constants.heads + this.thread.y) * this.constants.rows + query - this.constants.first
  const key = item * this.constants.keys
  let sum = 0
  for (let i = 0; i < this.constants.keys; i++) {
    sum +=
      dscores[(row | 0) * this.constants.keys + i] *
      k[(((key | 0) + i) * this.constants.groups + (group | 0)) * this.constants.width + this.thread.x]
  }
  return sum
}

/**
 * Element x of key-value head y of key z: sum over its heads and the block's queries of factor source, on top of what
 * earlier blocks gave: dk from dscores and q, dv from probabilities and dy.
 */
function keySlope(this: Thread, factors: Values, source: Values, before: Values) {
  const item = quotient(this.thread.z, this.constants.keys)
  const key = this.thread.z - item * this.constants.keys
  const head = this.thread.y * this.constants.share
  const row = (item * this.constants.heads + head) * this.constants.rows
  const query = item * this.constants.queries + this.constants.first
  let sum = 0
  if (this.constants.first > 0) {
    sum = before[(this.thread.z * this.constants.groups + this.thread.y) * this.constants.width + this.thread.x]
  }
  for (let h = 0; h < this.constants.share; h++) {
    for (let i = 0; i < this.constants.rows; i++) {
      sum +=
        factors[((row | 0) + h * this.constants.rows + i) * this.constants.keys + (key | 0)] *
        source[(((query | 0) + i) * this.constants.heads + (head | 0) + h) * this.constants.width + this.thread.x]
    }
  }
  return sum
}

type Operands = "q" | "k" | "v" | "keyMask"

/** Blocks of queries whose scores fit, of at most 1024 queries. */
const blocksOf = ({ batch, heads, queries, keys }: AttentionSize): readonly (readonly [number, number])[] => {
  const most = Math.min(1024, Math.max(1, Math.floor(mostScores / Math.max(1, batch * heads * keys))))
  const blocks: (readonly [number, number])[] = []
  for (let first = 0; first < queries; first += most) blocks.push([first, Math.min(most, queries - first)])
  return blocks
}

/** Extents for the programs of the block of `rows` queries from `first`. */
const extentsOf = ({ queries, keys, heads, groups, width }: AttentionSize, first: number, rows: number) => ({
  constants: { heads, groups, width, share: heads / groups },
  sizes: { queries, keys, first, rows }
})

const scoresProgram = (
  size: AttentionSize,
  masked: boolean,
  { causal, scale }: AttentionAttributes,
  [first, rows]: readonly [number, number]
): GpujsProgram => ({
  output: "scores",
  compute: scoreOf,
  reads: ["q", "k", masked ? "keyMask" : "q"],
  scalars: [scale],
  sizes: extentsOf(size, first, rows).sizes,
  constants: { ...extentsOf(size, first, rows).constants, causal: Number(causal), masked: Number(masked) },
  extent: [size.keys, rows, size.batch * size.heads],
  helpers
})

export const gpujs: GpujsBody<Operands, "y" | "logSumExp", AttentionAttributes> = {
  programs: ({ inputs }, attributes) => {
    const size = attentionSize("attention", inputs, attributes)
    const { batch, heads, queries, keys, width } = size
    return blocksOf(size).flatMap(([first, rows]) => {
      const extents = extentsOf(size, first, rows)
      const allRows = batch * heads * rows
      return [
        scoresProgram(size, "keyMask" in inputs, attributes, [first, rows]),
        ...mostOfRows("most", "scores", { rows: allRows, columns: keys, ofLength: true }),
        {
          output: "scores",
          compute: powerOf,
          reads: ["scores", "most"],
          sizes: { keys },
          extent: [keys, allRows],
          helpers
        },
        ...plainSumRows("total", "scores", { rows: allRows, columns: keys, ofLength: true }),
        {
          output: "logSumExp",
          compute: logSumExpOf,
          reads: ["most", "total", first === 0 ? "most" : "logSumExp"],
          ...extents,
          extent: [queries, batch * heads],
          helpers
        },
        {
          output: "y",
          compute: mixed,
          reads: ["scores", "total", "v", first === 0 ? "v" : "y"],
          ...extents,
          extent: [width, heads, batch * queries],
          helpers
        }
      ]
    })
  }
}

export const gpujsGradient: GpujsBody<Operands | "y" | "logSumExp" | "dy", "dq" | "dk" | "dv", AttentionAttributes> = {
  programs: ({ inputs }, attributes) => {
    const size = attentionSize("attentionGradient", inputs, attributes)
    const { batch, heads, queries, keys, groups, width } = size
    const across = {
      output: "across",
      compute: acrossOf,
      reads: ["dy", "y"],
      constants: { heads, width },
      extent: [heads, batch * queries]
    }
    const blocks = blocksOf(size).flatMap(([first, rows]) => {
      const extents = extentsOf(size, first, rows)
      const byScore = { ...extents, extent: [keys, rows, batch * heads], helpers }
      const byQuery = { ...extents, extent: [width, heads, batch * queries], helpers }
      const byKey = { ...extents, extent: [width, groups, batch * keys], helpers }
      const before = (name: string, other: string) => (first === 0 ? other : name)
      return [
        scoresProgram(size, "keyMask" in inputs, attributes, [first, rows]),
        { output: "scores", compute: probabilityOf, reads: ["scores", "logSumExp"], ...byScore },
        { output: "dv", compute: keySlope, reads: ["scores", "dy", before("dv", "dy")], ...byKey },
        {
          output: "scores",
          compute: scoreSlope,
          reads: ["scores", "dy", "v", "across"],
          scalars: [attributes.scale],
          ...byScore
        },
        { output: "dq", compute: querySlope, reads: ["scores", "k", before("dq", "k")], ...byQuery },
        { output: "dk", compute: keySlope, reads: ["scores", "q", before("dk", "q")], ...byKey }
      ]
    })
    return [across, ...blocks]
  }
}
