import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { extremesOfGroups } from "../../backends/gpujs/groups.ts"
import { divided, halfEven, limited, quotient, rounded, roundingHelpers } from "../../backends/gpujs/numbers.ts"
import { type ClipSearchAttributes, candidatesPerEnd, type GramAttributes } from "./geometry.ts"

/** Entry [y, x] of the second moments of column group z. */
function moment(this: Thread, x: Values, share: number) {
  let sum = 0
  for (let t = 0; t < this.constants.tokens; t++) {
    sum +=
      x[t * this.constants.columns + this.thread.z * this.constants.group + this.thread.y] *
      x[t * this.constants.columns + this.thread.z * this.constants.group + this.thread.x]
  }
  return sum * share
}

/** An end of the range after `k` of `steps` shrinks. */
function shrunk(end: number, k: number, steps: number, bf16: number): number {
  return rounded(rounded(end, bf16) * Math.fround(1 - divided(k, steps)), bf16)
}

/** w clipped to [low, high] and quantized to the nearest of levels that `scale` apart start at `zero`, minus w. */
function change(
  weight: number,
  low: number,
  high: number,
  scale: number,
  zero: number,
  most: number,
  bf16: number
): number {
  const w = rounded(weight, bf16)
  const code = limited(halfEven(rounded(divided(limited(w, low, high), scale), bf16)) + zero, 0, most)
  return rounded((code - zero) * scale, bf16) - w
}

/** d^T gram d for the changes d of group z of row y under candidate x. */
function errorOfCandidate(this: Thread, weight: Values, gram: Values, low: Values, high: Values) {
  const p = quotient(this.thread.x, this.constants.candidates)
  const n = this.thread.x - p * this.constants.candidates
  const at = this.thread.y * this.constants.groups + this.thread.z
  const from = shrunk(low[at | 0], n, this.constants.steps, this.constants.bf16)
  const to = shrunk(high[at | 0], p, this.constants.steps, this.constants.bf16)
  const range = Math.max(rounded(to - from, this.constants.bf16), Math.fround(1e-5))
  const scale = rounded(divided(rounded(range, this.constants.bf16), this.constants.most), this.constants.bf16)
  const zero = limited(-halfEven(rounded(divided(from, scale), this.constants.bf16)), 0, this.constants.most)
  let sum = 0
  for (let a = 0; a < this.constants.group; a++) {
    let line = 0
    for (let b = 0; b < this.constants.group; b++) {
      line +=
        gram[(this.thread.z * this.constants.group + a) * this.constants.group + b] *
        change(
          weight[(this.thread.y * this.constants.groups + this.thread.z) * this.constants.group + b],
          from,
          to,
          scale,
          zero,
          this.constants.most,
          this.constants.bf16
        )
    }
    sum +=
      line *
      change(
        weight[(this.thread.y * this.constants.groups + this.thread.z) * this.constants.group + a],
        from,
        to,
        scale,
        zero,
        this.constants.most,
        this.constants.bf16
      )
  }
  return rounded(sum, this.constants.bf16)
}

/** The first candidate of least error; errors are [groups, rows, candidates]. */
function bestCandidate(this: Thread, errors: Values) {
  let best = 0
  let lowest = errors[(this.thread.x * this.constants.rows + this.thread.y) * this.constants.count]
  for (let k = 0; k < this.constants.count; k++) {
    if (errors[(this.thread.x * this.constants.rows + this.thread.y) * this.constants.count + k] < lowest) {
      lowest = errors[(this.thread.x * this.constants.rows + this.thread.y) * this.constants.count + k]
      best = k
    }
  }
  return best
}

function highOfBest(this: Thread, high: Values, best: Values) {
  const p = quotient(best[this.thread.x], this.constants.candidates)
  return shrunk(high[this.thread.x], p, this.constants.steps, this.constants.bf16)
}

function lowOfBest(this: Thread, low: Values, best: Values) {
  const p = quotient(best[this.thread.x], this.constants.candidates)
  const n = best[this.thread.x] - p * this.constants.candidates
  return shrunk(low[this.thread.x], n, this.constants.steps, this.constants.bf16)
}

function errorOfBest(this: Thread, errors: Values, best: Values) {
  const candidate = best[this.thread.y * this.constants.groups + this.thread.x]
  return errors[(this.thread.x * this.constants.rows + this.thread.y) * this.constants.count + (candidate | 0)]
}

function errorOfFirst(this: Thread, errors: Values) {
  return errors[(this.thread.x * this.constants.rows + this.thread.y) * this.constants.count]
}

const helpers = [...roundingHelpers, limited, quotient, shrunk, change]

export const gpujsGram: GpujsBody<"x", "gram", GramAttributes> = {
  programs: ({ inputs }, { group }) => {
    const [tokens, columns] = inputs.x as readonly [number, number]
    return [
      {
        output: "gram",
        compute: moment,
        reads: ["x"],
        scalars: [1 / Math.max(1, tokens)],
        constants: { columns, group },
        sizes: { tokens },
        extent: [group, group, columns / group]
      }
    ]
  }
}

export const gpujs: GpujsBody<"weight" | "gram", "max" | "min" | "error" | "errorUnclipped", ClipSearchAttributes> = {
  programs: ({ inputs, outputs }, attributes) => {
    const [rows, columns] = inputs.weight as readonly [number, number]
    const { group, bits, gridSize: steps, arithmetic = "f32" } = attributes
    const bf16 = arithmetic === "bf16" ? 1 : 0
    const groups = columns / group
    const candidates = candidatesPerEnd(attributes)
    const count = candidates ** 2
    const more = { constants: { group, groups, rows, candidates, count, steps, most: 2 ** bits - 1, bf16 }, helpers }
    const extent = [groups, rows]
    return [
      ...extremesOfGroups("weight", rows * groups, group),
      {
        output: "errors",
        compute: errorOfCandidate,
        reads: ["weight", "gram", "low", "high"],
        extent: [count, rows, groups],
        ...more
      },
      { output: "best", compute: bestCandidate, reads: ["errors"], extent, ...more },
      elementwiseProgram("max", highOfBest, ["high", "best"], outputs.max, more),
      elementwiseProgram("min", lowOfBest, ["low", "best"], outputs.min, more),
      { output: "error", compute: errorOfBest, reads: ["errors", "best"], extent, ...more },
      { output: "errorUnclipped", compute: errorOfFirst, reads: ["errors"], extent, ...more }
    ]
  }
}
