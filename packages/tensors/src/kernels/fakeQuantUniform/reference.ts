import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import { clamp, passingRange, smallestDivisor, smallestScale } from "../groups/roundings.ts"
import { spreadGradient } from "../groups/spreadGradient.ts"
import type { UniformAttributes } from "./geometry.ts"

/** The definition fixes every rounding: each operation is rounded to f32, also in this double-precision body. */
const f = Math.fround
const roundHalfAway = (value: number): number => Math.sign(value) * Math.floor(f(Math.abs(value) + 0.5))

/** Scale and zero point of one group. */
const parameters = (
  group: Float64Array,
  { bits, symmetric, rounding, roundZero }: UniformAttributes
): readonly [scale: number, zero: number] => {
  const levels = 2 ** bits - 1
  let low = Math.min(...group)
  let high = Math.max(...group)
  if (symmetric) {
    high = Math.max(Math.abs(low), high)
    low = -high
  }
  if (rounding === "sum" && low === high) [low, high] = [-1, 1]
  // SPEED-Q bounds the scale, the flat quantizers bound the range.
  const scale =
    rounding === "sum"
      ? Math.max(f(f(high - low) / levels), smallestScale)
      : f(Math.max(f(high - low), smallestScale) / levels)
  if (symmetric) return [scale, (levels - 1) / 2]
  const zero = f(-low / scale)
  return [scale, roundZero ? clamp(roundHalfEven(zero), 0, levels) : zero]
}

/** Code of a weight before it is clamped to [0, 2^b - 1]. */
const openCode = (weight: number, scale: number, zero: number, { rounding }: UniformAttributes): number => {
  if (rounding === "sum") return roundHalfEven(f(f(weight / Math.max(scale, smallestDivisor)) + zero))
  const steps = f(weight / scale)
  return f((rounding === "nearestThenZero" ? roundHalfEven(steps) : roundHalfAway(steps)) + zero)
}

/** y = scale (clamp(code(w), 0, 2^b - 1) - zero), group by group */
export const reference = (
  { weight }: Arrays<"weight">,
  { y, scale, zero }: Arrays<"y" | "scale" | "zero">,
  _geometry: Geometry<"weight", "y" | "scale" | "zero">,
  attributes: UniformAttributes
): void => {
  const { bits, group } = attributes
  for (let index = 0; index < scale.length; index++) {
    const [s, z] = parameters(weight.subarray(index * group, (index + 1) * group), attributes)
    scale[index] = s
    zero[index] = z
    for (let i = index * group; i < (index + 1) * group; i++) {
      y[i] = f(s * f(clamp(openCode(weight[i]!, s, z, attributes), 0, 2 ** bits - 1) - z))
    }
  }
}

/**
 * Straight through: dweight = dy where -scale zero <= w <= scale (2^b - 1 - zero), 0 elsewhere.
 * With the range's gradient: dweight = dy where the open code is a code, and the scale's gradient
 * sum of dy (code - zero - [inside] w / scale) goes to the maximum and, negative, to the minimum, each over 2^b - 1.
 * A range below 1e-5 and the zero point carry none.
 */
export const referenceGradient = (
  { dy, weight, scale, zero }: Arrays<"dy" | "weight" | "scale" | "zero">,
  { dweight }: Arrays<"dweight">,
  _geometry: Geometry<"dy" | "weight" | "scale" | "zero", "dweight">,
  attributes: UniformAttributes
): void => {
  const { bits, group, symmetric, rangeGradient } = attributes
  const levels = 2 ** bits - 1
  for (let index = 0; index < scale.length; index++) {
    const [s, z] = [scale[index]!, zero[index]!]
    const own = weight.subarray(index * group, (index + 1) * group)
    const target = dweight.subarray(index * group, (index + 1) * group)
    const [from, to] = passingRange(s, z, levels, f)
    let dscale = 0
    for (const [i, w] of own.entries()) {
      const code = openCode(w, s, z, attributes)
      const inside = rangeGradient ? code >= 0 && code <= levels : w >= from && w <= to
      const gradient = dy[index * group + i]!
      target[i] = inside ? gradient : 0
      dscale += gradient * (clamp(code, 0, levels) - z - (inside ? w / s : 0))
    }
    if (!rangeGradient) continue
    const [low, high] = [Math.min(...own), Math.max(...own)]
    if (symmetric) {
      // The range is twice the largest magnitude, whichever end has it.
      const top = Math.abs(low) > high ? low : high
      if (f(2 * Math.abs(top)) >= smallestScale)
        spreadGradient(target, own, top, (2 * Math.sign(top) * dscale) / levels)
    } else if (f(high - low) >= smallestScale) {
      spreadGradient(target, own, high, dscale / levels)
      spreadGradient(target, own, low, -dscale / levels)
    }
  }
}
