import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { fromBfloat16, toBfloat16 } from "../../numbers/halfPrecision.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import { type ClipSearchAttributes, candidatesPerEnd, clipGroups } from "./geometry.ts"

const f = Math.fround

/** gram[j, a, b] = mean over tokens of x[t, j g + a] x[t, j g + b] */
export const referenceGram = (
  { x }: Arrays<"x">,
  { gram }: Arrays<"gram">,
  { inputs }: Geometry<"x", "gram">,
  { group }: { readonly group: number }
): void => {
  const [tokens, columns] = inputs.x as readonly [number, number]
  for (let j = 0; j < columns / group; j++) {
    for (let a = 0; a < group; a++) {
      for (let b = 0; b < group; b++) {
        let sum = 0
        for (let t = 0; t < tokens; t++) sum += x[t * columns + j * group + a]! * x[t * columns + j * group + b]!
        gram[(j * group + a) * group + b] = tokens === 0 ? 0 : sum / tokens
      }
    }
  }
}

type Rounding = (value: number) => number

const rounding = ({ arithmetic = "f32" }: ClipSearchAttributes): Rounding =>
  arithmetic === "f32" ? f : (value) => fromBfloat16(toBfloat16(value))

/** w clipped to [low, high] and quantized to nearest, each operation rounded: clamp(rne(w / scale) + zero) - zero, times scale. */
const quantize = (w: number, low: number, high: number, levels: number, r: Rounding): number => {
  const scale = r(r(Math.max(r(high - low), f(1e-5))) / levels)
  const zero = Math.min(Math.max(-roundHalfEven(r(low / scale)), 0), levels)
  const clipped = Math.min(Math.max(w, low), high)
  const code = Math.min(Math.max(roundHalfEven(r(clipped / scale)) + zero, 0), levels)
  return r((code - zero) * scale)
}

/** d^T gram d */
const quadraticForm = (gram: Float64Array, d: Float64Array): number => {
  let sum = 0
  for (let a = 0; a < d.length; a++) {
    let line = 0
    for (let b = 0; b < d.length; b++) line += gram[a * d.length + b]! * d[b]!
    sum += d[a]! * line
  }
  return sum
}

type Outputs = "max" | "min" | "error" | "errorUnclipped"

/**
 * For every output and column group: the shrunk range whose quantized weights change the group's share of the output
 * least, over all pairs of shrinks; the first of equal ones, the shrink of the maximum in the outer loop.
 * mean_t (x_t . d)^2 = d^T gram d with d = quantized - w, so that tokens are read once and not once a candidate.
 */
export const reference = (
  { weight, gram }: Arrays<"weight" | "gram">,
  { max, min, error, errorUnclipped }: Arrays<Outputs>,
  { inputs }: Geometry<"weight" | "gram", Outputs>,
  attributes: ClipSearchAttributes
): void => {
  const { group, bits, gridSize } = attributes
  const groups = clipGroups("clipSearch", "weight", inputs.weight, attributes)
  const rows = inputs.weight[0]!
  const levels = 2 ** bits - 1
  const candidates = candidatesPerEnd(attributes)
  const d = new Float64Array(group)
  const r = rounding(attributes)
  const coarse = attributes.arithmetic === "bf16"
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < groups; j++) {
      const w = weight.subarray((row * groups + j) * group, (row * groups + j + 1) * group).map(r)
      const gramOfGroup = gram.subarray(j * group * group, (j + 1) * group * group)
      const high = Math.max(...w)
      const low = Math.min(...w)
      const at = row * groups + j
      error[at] = Number.POSITIVE_INFINITY
      for (let p = 0; p < candidates; p++) {
        for (let n = 0; n < candidates; n++) {
          const shrunkHigh = r(high * f(1 - p / gridSize))
          const shrunkLow = r(low * f(1 - n / gridSize))
          for (let i = 0; i < group; i++) d[i] = quantize(w[i]!, shrunkLow, shrunkHigh, levels, r) - w[i]!
          const exact = quadraticForm(gramOfGroup, d)
          const candidate = coarse ? r(exact) : exact
          if (p === 0 && n === 0) errorUnclipped[at] = candidate
          if (candidate >= error[at]!) continue
          error[at] = candidate
          max[at] = shrunkHigh
          min[at] = shrunkLow
        }
      }
    }
  }
}
