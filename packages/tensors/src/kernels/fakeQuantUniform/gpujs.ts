import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { extremesOfGroups, perWeight, rangeHelpers, withinRange } from "../../backends/gpujs/groups.ts"
import { divided, halfEven, limited, quotient } from "../../backends/gpujs/numbers.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { UniformAttributes } from "./geometry.ts"

/** Ends of the range of a group, which symmetry and emptiness may move. */
function lowEnd(low: number, high: number, symmetric: number, widen: number): number {
  let end = low
  if (symmetric > 0.5) {
    end = -Math.max(Math.abs(low), high)
  }
  if (widen > 0.5) {
    if (end === highEnd(low, high, symmetric)) {
      end = -1
    }
  }
  return end
}

function highEnd(low: number, high: number, symmetric: number): number {
  if (symmetric > 0.5) {
    return Math.max(Math.abs(low), high)
  }
  return high
}

/** SPEED-Q's routine bounds the scale, and widens a range of nothing; the flat quantizers bound the range. */
function scaleOf(this: Thread, low: Values, high: Values) {
  const from = lowEnd(low[this.thread.x], high[this.thread.x], this.constants.symmetric, this.constants.sum)
  let to = highEnd(low[this.thread.x], high[this.thread.x], this.constants.symmetric)
  if (this.constants.sum === 1) {
    if (to === lowEnd(low[this.thread.x], high[this.thread.x], this.constants.symmetric, 0)) {
      to = 1
    }
    return Math.max(divided(Math.fround(to - from), this.constants.most), Math.fround(1e-5))
  }
  return divided(Math.max(Math.fround(to - from), Math.fround(1e-5)), this.constants.most)
}

function zeroOf(this: Thread, low: Values, high: Values, scale: Values, middle: number) {
  if (this.constants.symmetric === 1) {
    return middle
  }
  const from = lowEnd(low[this.thread.x], high[this.thread.x], 0, this.constants.sum)
  const zero = divided(-from, scale[this.thread.x])
  if (this.constants.roundZero === 1) {
    return limited(halfEven(zero), 0, this.constants.most)
  }
  return zero
}

/** Code of a weight before it is clamped; rounding 0: of the sum, 1: of the quotient, 2: of it with halves away from zero. */
function openCode(weight: number, scale: number, zero: number, rounding: number): number {
  if (rounding < 0.5) {
    return halfEven(Math.fround(divided(weight, Math.max(scale, Math.fround(1e-9))) + zero))
  }
  const steps = divided(weight, scale)
  if (rounding < 1.5) {
    return Math.fround(halfEven(steps) + zero)
  }
  if (steps < 0) {
    return Math.fround(-Math.floor(Math.fround(-steps + 0.5)) + zero)
  }
  return Math.fround(Math.floor(Math.fround(steps + 0.5)) + zero)
}

function quantized(this: Thread, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const s = scale[this.thread.y * this.constants.groups + (group | 0)]
  const z = zero[this.thread.y * this.constants.groups + (group | 0)]
  const code = openCode(weight[this.thread.y * this.constants.columns + this.thread.x], s, z, this.constants.rounding)
  return s * Math.fround(limited(code, 0, this.constants.most) - z)
}

/** 1 where the gradient passes: inside the range, or where the open code is a code. */
function passes(weight: number, scale: number, zero: number, most: number, rounding: number, byCode: number): number {
  if (byCode > 0.5) {
    const code = openCode(weight, scale, zero, rounding)
    if (code < 0) {
      return 0
    }
    if (code > most) {
      return 0
    }
    return 1
  }
  return withinRange(weight, scale, zero, most, 0)
}

/** Gradient of the scale of group x: sum of dy (code - zero - [inside] w / scale). */
function slopeByScale(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.group; i++) {
    const w = weight[this.thread.x * this.constants.group + i]
    const code = openCode(w, scale[this.thread.x], zero[this.thread.x], this.constants.rounding)
    const inside = passes(w, scale[this.thread.x], zero[this.thread.x], this.constants.most, this.constants.rounding, 1)
    sum +=
      dy[this.thread.x * this.constants.group + i] *
      (limited(code, 0, this.constants.most) - zero[this.thread.x] - (inside * w) / scale[this.thread.x])
  }
  return sum
}

/**
 * What each entry of group x that equals its extreme gets of the scale's gradient: the extreme is the minimum where `least` is 1,
 * which gets the negative, else the maximum. In symmetric quantization the range is twice the largest magnitude,
 * whichever end has it.
 */
function shareOfExtreme(this: Thread, weight: Values, extreme: Values, low: Values, high: Values, dscale: Values) {
  let count = 0
  for (let i = 0; i < this.constants.group; i++) {
    if (weight[this.thread.x * this.constants.group + i] === extreme[this.thread.x]) {
      count += 1
    }
  }
  let share = dscale[this.thread.x] / this.constants.most / count
  if (this.constants.least === 1) {
    share = -share
  }
  let range = high[this.thread.x] - low[this.thread.x]
  if (this.constants.symmetric === 1) {
    share = 2 * share
    range = 2 * Math.abs(extreme[this.thread.x])
    if (Math.abs(low[this.thread.x]) > high[this.thread.x]) {
      if (this.constants.least === 0) {
        share = 0
      }
    } else {
      if (this.constants.least === 1) {
        share = 0
      }
    }
  }
  if (Math.fround(range) < Math.fround(1e-5)) {
    share = 0
  }
  return share
}

function slope(this: Thread, dy: Values, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return (
    dy[this.thread.y * this.constants.columns + this.thread.x] *
    passes(
      weight[this.thread.y * this.constants.columns + this.thread.x],
      scale[this.thread.y * this.constants.groups + (group | 0)],
      zero[this.thread.y * this.constants.groups + (group | 0)],
      this.constants.most,
      this.constants.rounding,
      this.constants.byCode
    )
  )
}

function withShares(
  this: Thread,
  straight: Values,
  weight: Values,
  low: Values,
  high: Values,
  ofLow: Values,
  ofHigh: Values
) {
  const group = quotient(this.thread.x, this.constants.group)
  const w = weight[this.thread.y * this.constants.columns + this.thread.x]
  let sum = straight[this.thread.y * this.constants.columns + this.thread.x]
  if (w === high[this.thread.y * this.constants.groups + (group | 0)]) {
    sum += ofHigh[this.thread.y * this.constants.groups + (group | 0)]
  }
  if (w === low[this.thread.y * this.constants.groups + (group | 0)]) {
    sum += ofLow[this.thread.y * this.constants.groups + (group | 0)]
  }
  return sum
}

const roundings = { sum: 0, nearestThenZero: 1, halfAwayThenZero: 2 }
const helpers = [...rangeHelpers, limited, quotient, lowEnd, highEnd, openCode, passes]

const setting = (weight: Shape, attributes: UniformAttributes) => {
  const { bits, group, symmetric, rounding, roundZero, rangeGradient } = attributes
  const { constants, extent } = perWeight(weight, group)
  return {
    constants: {
      ...constants,
      most: 2 ** bits - 1,
      symmetric: Number(symmetric),
      sum: Number(rounding === "sum"),
      rounding: roundings[rounding],
      roundZero: Number(roundZero),
      byCode: Number(rangeGradient)
    },
    extent,
    helpers
  }
}

export const gpujs: GpujsBody<"weight", "y" | "scale" | "zero", UniformAttributes> = {
  programs: ({ inputs, outputs }, attributes) => {
    const { extent, ...more } = setting(inputs.weight, attributes)
    return [
      ...extremesOfGroups("weight", sizeOf(outputs.scale), attributes.group),
      elementwiseProgram("scale", scaleOf, ["low", "high"], outputs.scale, more),
      elementwiseProgram("zero", zeroOf, ["low", "high", "scale"], outputs.zero, {
        ...more,
        scalars: [(more.constants.most - 1) / 2]
      }),
      { output: "y", compute: quantized, reads: ["weight", "scale", "zero"], extent, ...more }
    ]
  }
}

export const gpujsGradient: GpujsBody<"dy" | "weight" | "scale" | "zero", "dweight", UniformAttributes> = {
  programs: ({ inputs }, attributes) => {
    const { extent, ...more } = setting(inputs.weight, attributes)
    const reads = ["dy", "weight", "scale", "zero"]
    const straight = { output: "dweight", compute: slope, reads, extent, ...more }
    if (!attributes.rangeGradient) return [straight]
    const share = (output: string, extreme: "low" | "high") =>
      elementwiseProgram(output, shareOfExtreme, ["weight", extreme, "low", "high", "dscale"], inputs.scale, {
        ...more,
        constants: { ...more.constants, least: Number(extreme === "low") }
      })
    return [
      straight,
      ...extremesOfGroups("weight", sizeOf(inputs.scale), attributes.group),
      elementwiseProgram("dscale", slopeByScale, reads, inputs.scale, more),
      share("share of high", "high"),
      share("share of low", "low"),
      {
        output: "dweight",
        compute: withShares,
        reads: ["dweight", "weight", "low", "high", "share of low", "share of high"],
        extent,
        ...more
      }
    ]
  }
}
