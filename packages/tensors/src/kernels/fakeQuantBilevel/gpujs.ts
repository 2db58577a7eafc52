import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { extremesOfGroups, rangeHelpers, withinRange } from "../../backends/gpujs/groups.ts"
import { atLeast, divided, halfEven, limited, quotient, rounded, roundFloat16 } from "../../backends/gpujs/numbers.ts"
import type { Shape } from "../../core/Shape.ts"
import { type BilevelAttributes, bilevelExtents, type CodeName, type FoundName, type SearchedName } from "./geometry.ts"

/** The ends of a group's range: [-1, 1] in place of a range of nothing. `low` and `high` are [N, K / g]. */
function endOf(own: number, other: number, replacement: number, bf16: number): number {
  if (rounded(own, bf16) === rounded(other, bf16)) {
    return replacement
  }
  return rounded(own, bf16)
}

/** First-level scale of column group y of output x: [K / g, N]. */
function firstScale(this: Thread, low: Values, high: Values) {
  const from = endOf(
    low[this.thread.x * this.constants.groups + this.thread.y],
    high[this.thread.x * this.constants.groups + this.thread.y],
    -1,
    this.constants.bf16
  )
  const to = endOf(
    high[this.thread.x * this.constants.groups + this.thread.y],
    low[this.thread.x * this.constants.groups + this.thread.y],
    1,
    this.constants.bf16
  )
  const scale = rounded(divided(rounded(to - from, this.constants.bf16), this.constants.most), this.constants.bf16)
  return Math.max(scale, Math.fround(1e-5))
}

function zeroPoint(this: Thread, low: Values, high: Values, first: Values) {
  const from = endOf(
    low[this.thread.x * this.constants.groups + this.thread.y],
    high[this.thread.x * this.constants.groups + this.thread.y],
    -1,
    this.constants.bf16
  )
  const scale = first[this.thread.y * this.constants.rows + this.thread.x]
  return limited(halfEven(rounded(divided(-from, scale), this.constants.bf16)), 0, this.constants.most)
}

/** Step of second-level group x from the range of its first-level scales. */
function stepOf(this: Thread, low: Values, high: Values) {
  let from = low[this.thread.x]
  let to = high[this.thread.x]
  if (this.constants.f16 === 0) {
    if (from === to) {
      if (this.constants.exact === 1) {
        return from
      }
      from = -1
      to = 1
    }
  }
  const step = Math.max(
    rounded(divided(rounded(to - from, this.constants.bf16), 15), this.constants.bf16),
    Math.fround(1e-5)
  )
  if (this.constants.f16 === 1) {
    return roundFloat16(step)
  }
  return step
}

/** f16: the least scale as a half. f32: minus it in steps, and -1 with code 0 for a common scale that is kept. */
function originOf(this: Thread, low: Values, high: Values, step: Values) {
  if (this.constants.f16 === 1) {
    return roundFloat16(low[this.thread.x])
  }
  let from = low[this.thread.x]
  if (from === high[this.thread.x]) {
    if (this.constants.exact === 1) {
      return -1
    }
    from = -1
  }
  return rounded(divided(-from, step[this.thread.x]), this.constants.bf16)
}

/** Code of scale x of second-level group y. */
function scaleCode(this: Thread, first: Values, step: Values, origin: Values) {
  const scale = first[this.thread.y * this.constants.scaleGroup + this.thread.x]
  if (this.constants.f16 === 1) {
    return limited(
      halfEven(
        rounded(
          divided(rounded(scale - origin[this.thread.y], this.constants.bf16), step[this.thread.y]),
          this.constants.bf16
        )
      ),
      0,
      15
    )
  }
  return limited(
    halfEven(
      rounded(
        rounded(divided(scale, Math.max(step[this.thread.y], Math.fround(1e-9))), this.constants.bf16) +
          origin[this.thread.y],
        this.constants.bf16
      )
    ),
    0,
    15
  )
}

/** `one` is 1: it keeps a GPU from fusing the product with the sum, which would round once instead of twice. */
function scaleOfCode(this: Thread, codes: Values, step: Values, origin: Values, one: number) {
  const code = codes[this.thread.y * this.constants.scaleGroup + this.thread.x]
  if (this.constants.f16 === 1) {
    return rounded(
      origin[this.thread.y] + rounded(step[this.thread.y] * code, this.constants.bf16) * one,
      this.constants.bf16
    )
  }
  return rounded(step[this.thread.y] * rounded(code - origin[this.thread.y], this.constants.bf16), this.constants.bf16)
}

/** clamp(rne(w / scale + zero), 0, 2^b - 1) of column x of output y. */
function weightCode(this: Thread, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = rounded(
    divided(
      rounded(weight[this.thread.y * this.constants.columns + this.thread.x], this.constants.bf16),
      atLeast(scale[(group | 0) * this.constants.rows + this.thread.y], Math.fround(1e-9))
    ),
    this.constants.bf16
  )
  return limited(
    halfEven(rounded(steps + zero[(group | 0) * this.constants.rows + this.thread.y], this.constants.bf16)),
    0,
    this.constants.most
  )
}

function weightOfCode(this: Thread, codes: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return rounded(
    scale[(group | 0) * this.constants.rows + this.thread.y] *
      rounded(
        codes[this.thread.y * this.constants.columns + this.thread.x] -
          zero[(group | 0) * this.constants.rows + this.thread.y],
        this.constants.bf16
      ),
    this.constants.bf16
  )
}

/** dy where -scale zero <= w <= scale (2^b - 1 - zero), 0 elsewhere. */
function slope(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const passes = withinRange(
    rounded(weight[this.thread.y * this.constants.columns + this.thread.x], this.constants.bf16),
    scale[(group | 0) * this.constants.rows + this.thread.y],
    zero[(group | 0) * this.constants.rows + this.thread.y],
    this.constants.most,
    this.constants.bf16
  )
  if (passes > 0.5) {
    return dy[this.thread.y * this.constants.columns + this.thread.x]
  }
  return 0
}

/** Scale of code x for scale y of second-level group z; `one` as in scaleOfCode. */
function candidateScale(this: Thread, step: Values, origin: Values, one: number) {
  if (this.constants.f16 === 1) {
    return rounded(
      origin[this.thread.z] + rounded(step[this.thread.z] * this.thread.x, this.constants.bf16) * one,
      this.constants.bf16
    )
  }
  return rounded(
    step[this.thread.z] * rounded(this.thread.x - origin[this.thread.z], this.constants.bf16),
    this.constants.bf16
  )
}

/** The weight on a grid that is nearest to `w`. */
function nearestOnGrid(w: number, scale: number, zero: number, levels: number, coarse: number): number {
  const steps = rounded(divided(rounded(w, coarse), atLeast(scale, Math.fround(1e-9))), coarse)
  const code = limited(halfEven(rounded(steps + zero, coarse)), 0, levels)
  return rounded(scale * rounded(code - zero, coarse), coarse)
}

/** Least squared error of column group z of output y with the scale of code x, over all zero points. */
function leastError(this: Thread, weight: Values, candidates: Values) {
  const scale = candidates[(this.thread.z * this.constants.rows + this.thread.y) * 16 + this.thread.x]
  let lowest = 3e38
  for (let point = 0; point < this.constants.points; point++) {
    let sum = 0
    for (let i = 0; i < this.constants.group; i++) {
      const w = weight[this.thread.y * this.constants.columns + this.thread.z * this.constants.group + i]
      const error = Math.fround(w - nearestOnGrid(w, scale, point, this.constants.most, this.constants.bf16))
      sum += error * error
    }
    if (sum < lowest) {
      lowest = sum
    }
  }
  return lowest
}

/** The first scale code of least error. */
function bestScaleCode(this: Thread, least: Values) {
  let best = 0
  let lowest = least[this.thread.x * 16]
  for (let code = 0; code < 16; code++) {
    if (least[this.thread.x * 16 + code] < lowest) {
      lowest = least[this.thread.x * 16 + code]
      best = code
    }
  }
  return best
}

/** The first zero point of least error of column group y of output x. */
function bestZero(this: Thread, weight: Values, scale: Values) {
  const own = scale[this.thread.y * this.constants.rows + this.thread.x]
  let best = 0
  let lowest = 3e38
  for (let point = 0; point < this.constants.points; point++) {
    let sum = 0
    for (let i = 0; i < this.constants.group; i++) {
      const w = weight[this.thread.x * this.constants.columns + this.thread.y * this.constants.group + i]
      const error = Math.fround(w - nearestOnGrid(w, own, point, this.constants.most, this.constants.bf16))
      sum += error * error
    }
    if (sum < lowest) {
      lowest = sum
      best = point
    }
  }
  return best
}

const helpers = [...rangeHelpers, atLeast, limited, quotient, endOf]
const searchHelpers = [...helpers, nearestOnGrid]

/** What all programs of one quantization share, and their extents. */
const setting = (weight: Shape, attributes: BilevelAttributes) => {
  const { rows, columns, groups, scaleGroups } = bilevelExtents("fakeQuantBilevel", weight, attributes)
  const { bits, group, scaleGroup, secondLevel, commonScale, arithmetic } = attributes
  return {
    more: {
      constants: {
        rows,
        columns,
        groups,
        group,
        scaleGroup,
        most: 2 ** bits - 1,
        f16: Number(secondLevel === "f16"),
        exact: Number(commonScale === "exact"),
        bf16: Number(arithmetic === "bf16")
      },
      helpers
    },
    byWeight: [columns, rows],
    byGroup: [rows, groups],
    byScale: [scaleGroup, scaleGroups],
    groups: rows * groups,
    scaleGroups
  }
}

/** From "weight" to the given names of zero points and scale codes, "step" and "origin". */
const parameters = (weight: Shape, attributes: BilevelAttributes, zero: string): readonly GpujsProgram[] => {
  const { more, byGroup, byScale, groups, scaleGroups } = setting(weight, attributes)
  const extremes = ["low", "high"]
  return [
    ...extremesOfGroups("weight", groups, attributes.group),
    { output: "first", compute: firstScale, reads: extremes, extent: byGroup, ...more },
    { output: zero, compute: zeroPoint, reads: [...extremes, "first"], extent: byGroup, ...more },
    ...extremesOfGroups("first", scaleGroups, attributes.scaleGroup),
    { output: "step", compute: stepOf, reads: extremes, extent: [scaleGroups], ...more },
    { output: "origin", compute: originOf, reads: [...extremes, "step"], extent: [scaleGroups], ...more },
    { output: "scaleCodes", compute: scaleCode, reads: ["first", "step", "origin"], extent: byScale, ...more }
  ]
}

const decodedScale = (weight: Shape, attributes: BilevelAttributes): GpujsProgram => {
  const { more, byScale } = setting(weight, attributes)
  return {
    output: "scale",
    compute: scaleOfCode,
    reads: ["scaleCodes", "step", "origin"],
    scalars: [1],
    extent: byScale,
    ...more
  }
}

/** "codes" of "weight", or a weight of "codes". */
const byWeight = (
  output: string,
  compute: GpujsProgram["compute"],
  reads: readonly string[],
  weight: Shape,
  attributes: BilevelAttributes
): GpujsProgram => {
  const { more, byWeight: extent } = setting(weight, attributes)
  return { output, compute, reads, extent, ...more }
}

export const gpujs: GpujsBody<"weight", "y" | "scale" | "zero", BilevelAttributes> = {
  programs: ({ inputs: { weight } }, attributes) => [
    ...parameters(weight, attributes, "zero"),
    decodedScale(weight, attributes),
    byWeight("codes", weightCode, ["weight", "scale", "zero"], weight, attributes),
    byWeight("y", weightOfCode, ["codes", "scale", "zero"], weight, attributes)
  ]
}

export const gpujsGradient: GpujsBody<"dy" | "weight" | "scale" | "zero", "dweight", BilevelAttributes> = {
  programs: ({ inputs: { weight } }, attributes) => [
    byWeight("dweight", slope, ["dy", "weight", "scale", "zero"], weight, attributes)
  ]
}

export const gpujsCodes: GpujsBody<"weight", CodeName, BilevelAttributes> = {
  programs: ({ inputs: { weight } }, attributes) => [
    ...parameters(weight, attributes, "zeros"),
    decodedScale(weight, attributes),
    byWeight("codes", weightCode, ["weight", "scale", "zeros"], weight, attributes)
  ]
}

export const gpujsDecode: GpujsBody<CodeName, "y", BilevelAttributes> = {
  programs: ({ inputs: { codes } }, attributes) => [
    decodedScale(codes, attributes),
    byWeight("y", weightOfCode, ["codes", "scale", "zeros"], codes, attributes)
  ]
}

export const gpujsSearch: GpujsBody<SearchedName, FoundName, BilevelAttributes> = {
  programs: ({ inputs: { weight } }, attributes) => {
    const { more, byGroup, byScale, groups } = setting(weight, attributes)
    const search = { constants: { ...more.constants, points: 2 ** attributes.bits }, helpers: searchHelpers }
    return [
      {
        output: "candidates",
        compute: candidateScale,
        reads: ["step", "origin"],
        scalars: [1],
        extent: [16, ...byScale],
        ...more
      },
      { output: "least", compute: leastError, reads: ["weight", "candidates"], extent: [16, ...byGroup], ...search },
      { output: "scaleCodes", compute: bestScaleCode, reads: ["least"], extent: [groups] },
      decodedScale(weight, attributes),
      { output: "zeros", compute: bestZero, reads: ["weight", "scale"], extent: byGroup, ...search },
      byWeight("codes", weightCode, ["weight", "scale", "zeros"], weight, attributes)
    ]
  }
}
