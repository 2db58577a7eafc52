import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { extremesOfGroups, perWeight } from "../../backends/gpujs/groups.ts"
import { divided, quotient } from "../../backends/gpujs/numbers.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"

interface Book {
  readonly thread: Thread["thread"]
  readonly constants: {
    readonly levels: Values
    readonly thresholds: Values
    readonly count: number
    readonly columns: number
    readonly group: number
    readonly groups: number
  }
}

/** max(x, 0) of the largest, max(-x, 0) of the smallest: 0, not -0, where a side is empty. */
function above(this: Thread, high: Values) {
  if (high[this.thread.x] > 0) {
    return high[this.thread.x]
  }
  return 0
}

function below(this: Thread, low: Values) {
  if (low[this.thread.x] < 0) {
    return -low[this.thread.x]
  }
  return 0
}

/** Scale of the side on which a weight lies. */
function sideOf(weight: number, negative: number, positive: number): number {
  if (weight >= 0) {
    return positive
  }
  return negative
}

/** w / scale, and 0 on a side without weights, whose scale is 0. */
function quotientOf(weight: number, scale: number): number {
  if (scale === 0) {
    return 0
  }
  return divided(weight, scale)
}

/** Index of the level nearest to the weight; a quotient at a midpoint takes the upper level. */
function code(this: Book, weight: Values, negative: Values, positive: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const w = weight[this.thread.y * this.constants.columns + this.thread.x]
  const scale = sideOf(
    w,
    negative[this.thread.y * this.constants.groups + (group | 0)],
    positive[this.thread.y * this.constants.groups + (group | 0)]
  )
  const steps = quotientOf(w, scale)
  let passed = 0
  for (let i = 0; i < this.constants.count; i++) {
    if (steps >= this.constants.thresholds[i]) {
      passed += 1
    }
  }
  return passed
}

/** The level of each weight, as a multiple of its scale: 0 on an empty side. */
function levelOf(this: Book, weight: Values, negative: Values, positive: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const w = weight[this.thread.y * this.constants.columns + this.thread.x]
  const scale = sideOf(
    w,
    negative[this.thread.y * this.constants.groups + (group | 0)],
    positive[this.thread.y * this.constants.groups + (group | 0)]
  )
  if (scale === 0) {
    return 0
  }
  const steps = divided(w, scale)
  let level = this.constants.levels[0]
  for (let i = 0; i < this.constants.count; i++) {
    if (steps >= this.constants.thresholds[i]) {
      level = this.constants.levels[i + 1]
    }
  }
  if (steps >= 0) {
    return level
  }
  if (steps < 0) {
    return level
  }
  return steps // NaN
}

function scaled(this: Thread, weight: Values, level: Values, negative: Values, positive: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return (
    level[this.thread.y * this.constants.columns + this.thread.x] *
    sideOf(
      weight[this.thread.y * this.constants.columns + this.thread.x],
      negative[this.thread.y * this.constants.groups + (group | 0)],
      positive[this.thread.y * this.constants.groups + (group | 0)]
    )
  )
}

function decoded(this: Book, codes: Values, negative: Values, positive: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const code = codes[this.thread.y * this.constants.columns + this.thread.x]
  const level = this.constants.levels[code | 0]
  return (
    level *
    sideOf(
      level,
      negative[this.thread.y * this.constants.groups + (group | 0)],
      positive[this.thread.y * this.constants.groups + (group | 0)]
    )
  )
}

/** Sum over one side of group x of dy (level - w / scale), over the number of weights at the side's extreme. */
function shareOfExtreme(this: Thread, dy: Values, weight: Values, level: Values, side: Values) {
  let sum = 0
  let count = 0
  for (let i = 0; i < this.constants.group; i++) {
    let w = weight[this.thread.x * this.constants.group + i]
    let l = level[this.thread.x * this.constants.group + i]
    if (this.constants.negative === 1) {
      w = -w
      l = -l
    }
    // Zero is on the positive side.
    let own = 0
    if (w > 0) {
      own = 1
    }
    if (this.constants.negative === 0) {
      if (w === 0) {
        own = 1
      }
    }
    if (side[this.thread.x] > 0) {
      if (own === 1) {
        sum += dy[this.thread.x * this.constants.group + i] * (l - divided(w, side[this.thread.x]))
      }
      if (w === side[this.thread.x]) {
        count += 1
      }
    }
  }
  if (count === 0) {
    return 0
  }
  return sum / count
}

function slope(
  this: Thread,
  dy: Values,
  weight: Values,
  negative: Values,
  positive: Values,
  ofNegative: Values,
  ofPositive: Values
) {
  const group = quotient(this.thread.x, this.constants.group)
  const w = weight[this.thread.y * this.constants.columns + this.thread.x]
  let sum = dy[this.thread.y * this.constants.columns + this.thread.x]
  if (w > 0) {
    if (w === positive[this.thread.y * this.constants.groups + (group | 0)]) {
      sum += ofPositive[this.thread.y * this.constants.groups + (group | 0)]
    }
  }
  if (w < 0) {
    if (-w === negative[this.thread.y * this.constants.groups + (group | 0)]) {
      sum += ofNegative[this.thread.y * this.constants.groups + (group | 0)]
    }
  }
  return sum
}

const helpers = [divided, quotient, sideOf, quotientOf]

const setting = (weight: Shape, attributes: CodebookAttributes) => {
  const { levels, thresholds } = codebook("fakeQuantCodebook", attributes)
  const plain = { ...perWeight(weight, attributes.group), helpers }
  return {
    plain,
    book: {
      ...plain,
      constants: { ...plain.constants, count: thresholds.length },
      tables: { levels: Float32Array.from(levels), thresholds: Float32Array.from(thresholds) }
    }
  }
}

const levelProgram = (weight: Shape, attributes: CodebookAttributes): GpujsProgram => ({
  output: "level",
  compute: levelOf,
  reads: ["weight", "negative", "positive"],
  ...setting(weight, attributes).book
})

type Scales = "negative" | "positive"

export const gpujs: GpujsBody<"weight", "y" | Scales, CodebookAttributes> = {
  programs: ({ inputs, outputs }, attributes) => [
    ...extremesOfGroups("weight", sizeOf(outputs.negative), attributes.group),
    elementwiseProgram("positive", above, ["high"], outputs.positive),
    elementwiseProgram("negative", below, ["low"], outputs.negative),
    levelProgram(inputs.weight, attributes),
    {
      ...setting(inputs.weight, attributes).plain,
      output: "y",
      compute: scaled,
      reads: ["weight", "level", "negative", "positive"]
    }
  ]
}

export const gpujsGradient: GpujsBody<"dy" | "weight" | Scales, "dweight", CodebookAttributes> = {
  programs: ({ inputs }, attributes) => {
    const share = (side: Scales) =>
      elementwiseProgram(`share of ${side}`, shareOfExtreme, ["dy", "weight", "level", side], inputs[side], {
        helpers,
        constants: { group: attributes.group, negative: Number(side === "negative") }
      })
    return [
      levelProgram(inputs.weight, attributes),
      share("negative"),
      share("positive"),
      {
        ...setting(inputs.weight, attributes).plain,
        output: "dweight",
        compute: slope,
        reads: ["dy", "weight", "negative", "positive", "share of negative", "share of positive"]
      }
    ]
  }
}

export const gpujsCodes: GpujsBody<"weight" | Scales, "codes", CodebookAttributes> = {
  programs: ({ inputs }, attributes) => [
    {
      ...setting(inputs.weight, attributes).book,
      output: "codes",
      compute: code,
      reads: ["weight", "negative", "positive"]
    }
  ]
}

export const gpujsDecode: GpujsBody<"codes" | Scales, "y", CodebookAttributes> = {
  programs: ({ inputs }, attributes) => [
    {
      ...setting(inputs.codes, attributes).book,
      output: "y",
      compute: decoded,
      reads: ["codes", "negative", "positive"]
    }
  ]
}
