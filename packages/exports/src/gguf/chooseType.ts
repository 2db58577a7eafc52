/** Which type of ggml a quantized weight is written in. */
import { noneQuantizer, type PackedWeight } from "@speedq/quantizers"
import type { BlockType, CodeType, RoundingType } from "./blocks/BlockType.ts"
import { BF16, F16 } from "./blocks/floats.ts"
import { Q2_0 } from "./blocks/Q2_0.ts"
import { Q3_K } from "./blocks/Q3_K.ts"
import { Q4_0 } from "./blocks/Q4_0.ts"
import { Q4_1 } from "./blocks/Q4_1.ts"
import { Q8_0 } from "./blocks/Q8_0.ts"

/** Types for weights on a grid that no type has. */
export type Fallback = "Q8_0" | "Q3_K" | "F16"

/** A type, and what it keeps of a weight: the codes, the numbers where these are on no grid, or nothing, so that it rounds them anew. */
export type Choice =
  | { readonly keeps: "codes"; readonly type: CodeType }
  | { readonly keeps: "numbers" | "nothing"; readonly type: RoundingType }

const divides = ({ weights }: BlockType, count: number): boolean => count % weights === 0

/** The type that has the grid of the weight's codes, exactly or but for the rounding of its zero points; undefined where none has. */
const sameGrid = ({ affine }: PackedWeight): CodeType | undefined => {
  if (affine === undefined || affine.bits > 4) return undefined
  const { bits, group, commonZero } = affine
  if (bits === 2 && commonZero === 1 && divides(Q2_0, group)) return Q2_0
  if (!divides(Q4_0, group)) return undefined
  return commonZero === undefined ? Q4_1 : Q4_0
}

/** The type that needs no fallback; undefined where there is none. */
const ownType = (weight: PackedWeight): Choice | undefined => {
  if (weight.choice.quantizer.id === noneQuantizer.id) return { keeps: "numbers", type: BF16 }
  const type = sameGrid(weight)
  return type && { keeps: "codes", type }
}

/** Whether Q3_K has room for the codes: steps from -3 to 3, in groups of one of its runs of 16 or of several. */
const fitsQ3K = ({ affine, shape }: PackedWeight): boolean =>
  affine?.bits === 2 && affine.group % 16 === 0 && divides(Q3_K, shape[1]!)

const fallBack = (weight: PackedWeight, fallback: Fallback): Choice => {
  if (fallback === "Q3_K" && fitsQ3K(weight)) return { keeps: "codes", type: Q3_K }
  return { keeps: "nothing", type: fallback !== "F16" && divides(Q8_0, weight.shape[1]!) ? Q8_0 : F16 }
}

/** The type of one weight. */
export const chooseType = (weight: PackedWeight, fallback: Fallback): Choice =>
  ownType(weight) ?? fallBack(weight, fallback)

/** Q3_K where it has room for all codes that need a fallback, as for InternVL3-2B at 2 bits; else Q8_0. */
export const automaticFallback = (weights: Iterable<PackedWeight>): Fallback =>
  [...weights].every((weight) => ownType(weight) !== undefined || fitsQ3K(weight)) ? "Q3_K" : "Q8_0"
