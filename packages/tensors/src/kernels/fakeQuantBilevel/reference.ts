import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../numbers/halfPrecision.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import { clamp, passingRange, smallestDivisor, smallestScale } from "../groups/roundings.ts"
import { type BilevelAttributes, bilevelExtents, type CodeName, type FoundName, type SearchedName } from "./geometry.ts"

/** The definition fixes every rounding: each operation is rounded to f32 (or bf16), also in this double-precision body. */
const rounding = ({ arithmetic }: BilevelAttributes): ((value: number) => number) =>
  arithmetic === "f32" ? Math.fround : (value) => fromBfloat16(toBfloat16(value))

const half = (value: number): number => fromFloat16(toFloat16(value))

interface ScaleCode {
  readonly step: number
  readonly origin: number
  /** Code in 0..15 of a first-level scale. */
  readonly encode: (scale: number) => number
}

/** The scale that a code stands for. */
const decodeScale = (code: number, step: number, origin: number, attributes: BilevelAttributes): number => {
  const f = rounding(attributes)
  return attributes.secondLevel === "f16" ? f(origin + f(step * code)) : f(step * f(code - origin))
}

/** Second level: 4-bit codes for the scales of one group, asymmetric, with an unrounded origin. */
const scaleCode = (scales: readonly number[], attributes: BilevelAttributes): ScaleCode => {
  const f = rounding(attributes)
  const low = Math.min(...scales)
  const high = Math.max(...scales)
  if (attributes.secondLevel === "f16") {
    const step = half(Math.max(f(f(high - low) / 15), smallestScale))
    const origin = half(low)
    const encode = (scale: number) => clamp(roundHalfEven(f(f(scale - origin) / step)), 0, 15)
    return { step, origin, encode }
  }
  // A range of zero becomes [-1, 1] in the reference; keeping the scale is step = scale, origin = -1, code 0.
  const common = low === high
  if (common && attributes.commonScale === "exact") {
    return { step: low, origin: -1, encode: () => 0 }
  }
  const [from, to] = common ? [-1, 1] : [low, high]
  const step = Math.max(f(f(to - from) / 15), smallestScale)
  const origin = f(-from / step)
  const encode = (scale: number) => clamp(roundHalfEven(f(f(scale / Math.max(step, smallestDivisor)) + origin)), 0, 15)
  return { step, origin, encode }
}

/** Scale and zero point of one group of weights before the second level. */
const firstLevel = (group: Float64Array, attributes: BilevelAttributes): readonly [scale: number, zero: number] => {
  const f = rounding(attributes)
  const levels = 2 ** attributes.bits - 1
  let low = Math.min(...group)
  let high = Math.max(...group)
  if (low === high) [low, high] = [-1, 1]
  const scale = Math.max(f(f(high - low) / levels), smallestScale)
  return [scale, clamp(roundHalfEven(f(-low / scale)), 0, levels)]
}

/** Code of a weight, and the weight of a code. */
const encodeWeight = (weight: number, scale: number, zero: number, attributes: BilevelAttributes): number => {
  const f = rounding(attributes)
  return clamp(roundHalfEven(f(f(weight / Math.max(scale, smallestDivisor)) + zero)), 0, 2 ** attributes.bits - 1)
}
const decodeWeight = (code: number, scale: number, zero: number, attributes: BilevelAttributes): number => {
  const f = rounding(attributes)
  return f(scale * f(code - zero))
}

/** Start of group row r = j N + o in a weight [N, K]. */
const startOf = (row: number, rows: number, columns: number, group: number): number =>
  (row % rows) * columns + Math.floor(row / rows) * group

/** Calls `visit` for every second-level group with its code and, per group row, zero point and second-level scale code. */
const forEachScaleGroup = (
  weight: Float64Array,
  shape: readonly number[],
  attributes: BilevelAttributes,
  visit: (index: number, code: ScaleCode, rows: readonly { row: number; zero: number; scaleCode: number }[]) => void
): void => {
  const { rows, columns, scaleGroups } = bilevelExtents("bilevel", shape, attributes)
  const { group, scaleGroup } = attributes
  const f = rounding(attributes)
  for (let index = 0; index < scaleGroups; index++) {
    const members = Array.from({ length: scaleGroup }, (_, i) => {
      const row = index * scaleGroup + i
      const start = startOf(row, rows, columns, group)
      const [scale, zero] = firstLevel(weight.subarray(start, start + group).map(f), attributes)
      return { row, scale, zero }
    })
    const code = scaleCode(
      members.map(({ scale }) => scale),
      attributes
    )
    visit(
      index,
      code,
      members.map(({ row, scale, zero }) => ({ row, zero, scaleCode: code.encode(scale) }))
    )
  }
}

/** y = scale' (clamp(rne(w / scale' + zero), 0, 2^b - 1) - zero), group by group. */
export const reference = (
  { weight }: Arrays<"weight">,
  { y, scale, zero }: Arrays<"y" | "scale" | "zero">,
  { inputs }: Geometry<"weight", "y" | "scale" | "zero">,
  attributes: BilevelAttributes
): void => {
  const [rows, columns] = inputs.weight as readonly [number, number]
  const f = rounding(attributes)
  forEachScaleGroup(weight, inputs.weight, attributes, (_, code, members) => {
    for (const member of members) {
      const used = decodeScale(member.scaleCode, code.step, code.origin, attributes)
      scale[member.row] = used
      zero[member.row] = member.zero
      const start = startOf(member.row, rows, columns, attributes.group)
      for (let i = start; i < start + attributes.group; i++) {
        y[i] = decodeWeight(encodeWeight(f(weight[i]!), used, member.zero, attributes), used, member.zero, attributes)
      }
    }
  })
}

/** dweight = dy where -scale' zero <= w <= scale' (2^b - 1 - zero), 0 elsewhere: straight through inside the range. */
export const referenceGradient = (
  { dy, weight, scale, zero }: Arrays<"dy" | "weight" | "scale" | "zero">,
  { dweight }: Arrays<"dweight">,
  { inputs }: Geometry<"dy" | "weight" | "scale" | "zero", "dweight">,
  attributes: BilevelAttributes
): void => {
  const { rows, columns, groups } = bilevelExtents("bilevel", inputs.weight, attributes)
  const f = rounding(attributes)
  const levels = 2 ** attributes.bits - 1
  for (let row = 0; row < groups * rows; row++) {
    const [low, high] = passingRange(scale[row]!, zero[row]!, levels, f)
    const start = startOf(row, rows, columns, attributes.group)
    for (let i = start; i < start + attributes.group; i++) {
      const inside = f(weight[i]!) >= low && f(weight[i]!) <= high
      dweight[i] = inside ? dy[i]! : 0
    }
  }
}

/** The integers and second-level numbers that stand for a weight. */
export const referenceCodes = (
  { weight }: Arrays<"weight">,
  { codes, zeros, scaleCodes, step, origin }: Arrays<CodeName>,
  { inputs }: Geometry<"weight", CodeName>,
  attributes: BilevelAttributes
): void => {
  const [rows, columns] = inputs.weight as readonly [number, number]
  const f = rounding(attributes)
  forEachScaleGroup(weight, inputs.weight, attributes, (index, code, members) => {
    step[index] = code.step
    origin[index] = code.origin
    for (const member of members) {
      zeros[member.row] = member.zero
      scaleCodes[member.row] = member.scaleCode
      const scale = decodeScale(member.scaleCode, code.step, code.origin, attributes)
      const start = startOf(member.row, rows, columns, attributes.group)
      for (let i = start; i < start + attributes.group; i++) {
        codes[i] = encodeWeight(f(weight[i]!), scale, member.zero, attributes)
      }
    }
  })
}

/** The weight that codes stand for: the same bits as `reference` gives. */
export const referenceDecode = (
  { codes, zeros, scaleCodes, step, origin }: Arrays<CodeName>,
  { y }: Arrays<"y">,
  { outputs }: Geometry<CodeName, "y">,
  attributes: BilevelAttributes
): void => {
  const { rows, columns, groups } = bilevelExtents("bilevel", outputs.y, attributes)
  for (let row = 0; row < groups * rows; row++) {
    const member = Math.floor(row / attributes.scaleGroup)
    const scale = decodeScale(scaleCodes[row]!, step[member]!, origin[member]!, attributes)
    const start = startOf(row, rows, columns, attributes.group)
    for (let i = start; i < start + attributes.group; i++)
      y[i] = decodeWeight(codes[i]!, scale, zeros[row]!, attributes)
  }
}

/** Sum of (w - w')^2 over a group on one grid; each difference is rounded to f32. */
const squaredErrors = (group: Float64Array, scale: number, zero: number, attributes: BilevelAttributes): number => {
  const f = rounding(attributes)
  let sum = 0
  for (const w of group) {
    const code = encodeWeight(f(w), scale, zero, attributes)
    sum += Math.fround(w - decodeWeight(code, scale, zero, attributes)) ** 2
  }
  return sum
}

/** For every group the scale code and zero point of least squared error, the first of equal ones, and the codes on that grid. */
export const referenceSearch = (
  { weight, step, origin }: Arrays<SearchedName>,
  { codes, zeros, scaleCodes }: Arrays<FoundName>,
  { inputs }: Geometry<SearchedName, FoundName>,
  attributes: BilevelAttributes
): void => {
  const { rows, columns, groups } = bilevelExtents("bilevelSearch", inputs.weight, attributes)
  const { bits, group, scaleGroup } = attributes
  const f = rounding(attributes)
  for (let row = 0; row < groups * rows; row++) {
    const member = Math.floor(row / scaleGroup)
    const start = startOf(row, rows, columns, group)
    const weights = weight.subarray(start, start + group)
    let least = Number.POSITIVE_INFINITY
    for (let scaleCode = 0; scaleCode < 16; scaleCode++) {
      const scale = decodeScale(scaleCode, step[member]!, origin[member]!, attributes)
      for (let zero = 0; zero < 2 ** bits; zero++) {
        const error = squaredErrors(weights, scale, zero, attributes)
        if (!(error < least)) continue
        least = error
        scaleCodes[row] = scaleCode
        zeros[row] = zero
      }
    }
    const scale = decodeScale(scaleCodes[row]!, step[member]!, origin[member]!, attributes)
    for (const [i, w] of weights.entries()) codes[start + i] = encodeWeight(f(w), scale, zeros[row]!, attributes)
  }
}
