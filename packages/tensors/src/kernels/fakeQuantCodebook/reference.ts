import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { spreadGradient } from "../groups/spreadGradient.ts"
import { type CodebookAttributes, codebook } from "./geometry.ts"

const f = Math.fround

/** The f32 quotient of a weight and its side's scale, and the level nearest to it. */
const nearest = (
  weight: number,
  scale: number,
  { levels, thresholds }: ReturnType<typeof codebook>
): readonly [quotient: number, level: number] => {
  // A side without weights has scale 0; what lies there is 0 itself.
  if (scale === 0) return [0, 0]
  const quotient = f(weight / scale)
  const passed = thresholds.reduce((count, threshold) => count + Number(quotient >= threshold), 0)
  return [quotient, Number.isNaN(quotient) ? quotient : levels[passed]!]
}

/** positive = max(max w, 0), negative = max(-min w, 0); y = level(w / s) s, s the scale of w's side; f32 throughout */
export const reference = (
  { weight }: Arrays<"weight">,
  { y, negative, positive }: Arrays<"y" | "negative" | "positive">,
  _geometry: Geometry<"weight", "y" | "negative" | "positive">,
  attributes: CodebookAttributes
): void => {
  const { group } = attributes
  const book = codebook("fakeQuantCodebook", attributes)
  for (let index = 0; index < positive.length; index++) {
    const own = weight.subarray(index * group, (index + 1) * group)
    positive[index] = Math.max(Math.max(...own), 0)
    negative[index] = Math.max(-Math.min(...own), 0)
    for (const [i, w] of own.entries()) {
      const scale = w >= 0 ? positive[index]! : negative[index]!
      y[index * group + i] = f(nearest(w, scale, book)[1] * scale)
    }
  }
}

/** Index of the level of every weight; a side without weights takes the level nearest to 0. */
export const referenceCodes = (
  { weight, negative, positive }: Arrays<"weight" | "negative" | "positive">,
  { codes }: Arrays<"codes">,
  _geometry: Geometry<"weight" | "negative" | "positive", "codes">,
  attributes: CodebookAttributes
): void => {
  const { group } = attributes
  const { levels, thresholds } = codebook("codebookCodes", attributes)
  for (const [i, w] of weight.entries()) {
    const index = Math.floor(i / group)
    const scale = w >= 0 ? positive[index]! : negative[index]!
    const quotient = scale === 0 ? 0 : f(w / scale)
    codes[i] = Math.min(
      thresholds.reduce((count, threshold) => count + Number(quotient >= threshold), 0),
      levels.length - 1
    )
  }
}

/** y = level(code) s with s the scale of the level's side. */
export const referenceDecode = (
  { codes, negative, positive }: Arrays<"codes" | "negative" | "positive">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"codes" | "negative" | "positive", "y">,
  attributes: CodebookAttributes
): void => {
  const { group } = attributes
  const { levels } = codebook("codebookDecode", attributes)
  for (const [i, code] of codes.entries()) {
    const level = levels[code]!
    const index = Math.floor(i / group)
    y[i] = f(level * (level >= 0 ? positive[index]! : negative[index]!))
  }
}

/**
 * dweight = dy (rounding as identity); the gradient of each side's scale, sum over the side of dy (level - w / scale),
 * goes to the weight that set it: the maximum, and negative to the minimum.
 */
export const referenceGradient = (
  { dy, weight, negative, positive }: Arrays<"dy" | "weight" | "negative" | "positive">,
  { dweight }: Arrays<"dweight">,
  _geometry: Geometry<"dy" | "weight" | "negative" | "positive", "dweight">,
  attributes: CodebookAttributes
): void => {
  const { group } = attributes
  const book = codebook("fakeQuantCodebookGradient", attributes)
  dweight.set(dy)
  for (let index = 0; index < positive.length; index++) {
    const own = weight.subarray(index * group, (index + 1) * group)
    const target = dweight.subarray(index * group, (index + 1) * group)
    let above = 0
    let below = 0
    for (const [i, w] of own.entries()) {
      const [quotient, level] = nearest(w, w >= 0 ? positive[index]! : negative[index]!, book)
      const slope = dy[index * group + i]! * (level - quotient)
      if (w >= 0) above += slope
      else below += slope
    }
    if (positive[index]! > 0) spreadGradient(target, own, positive[index]!, above)
    if (negative[index]! > 0) spreadGradient(target, own, -negative[index]!, -below)
  }
}
