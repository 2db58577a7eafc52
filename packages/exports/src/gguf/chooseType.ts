/** Which type of ggml a quantized weight is written in. */
import { noneQuantizer } from "@speedq/quantizers"
import { codes, type Holding, type QuantizedLayer, roundingOf } from "../exporter/Holding.ts"
import type { BlockType, CodeType, RoundingType } from "./blocks/BlockType.ts"
import { BF16, F16 } from "./blocks/floats.ts"
import { Q2_0 } from "./blocks/Q2_0.ts"
import { Q3_K } from "./blocks/Q3_K.ts"
import { Q4_0 } from "./blocks/Q4_0.ts"
import { Q4_1 } from "./blocks/Q4_1.ts"
import { Q8_0 } from "./blocks/Q8_0.ts"

/** Types for weights on a grid that no type has. */
export type Fallback = "Q3_K" | "Q8_0" | "F16"

/** A type, and what it keeps of a weight: the codes, the numbers where these are on no grid, or nothing, so that it rounds them anew. */
export type Choice =
  | { readonly keeps: "codes"; readonly type: CodeType }
  | { readonly keeps: "numbers" | "nothing"; readonly type: RoundingType }

type Weight = Pick<QuantizedLayer, "choice" | "shape">

const extentsOf = ({ choice: { quantizer, config } }: Weight) => quantizer.affine?.extents(config)

const divides = ({ weights }: BlockType, count: number): boolean => count % weights === 0

/** The type that has the grid of the weight's codes, exactly or but for the rounding of its zero points; undefined where none has. */
const sameGrid = (weight: Weight): CodeType | undefined => {
  const { bits, group, commonZero } = extentsOf(weight) ?? { bits: 16, group: 1 }
  if (bits > 4) return undefined
  if (bits === 2 && commonZero === 1 && divides(Q2_0, group)) return Q2_0
  if (!divides(Q4_0, group)) return undefined
  return commonZero === undefined ? Q4_1 : Q4_0
}

/** Whether Q3_K has room for the codes: steps from -3 to 3, in groups of one of its runs of 16 or of several. */
const fitsQ3K = (weight: Weight): boolean => {
  const { bits, group } = extentsOf(weight) ?? { bits: 16, group: 1 }
  return bits === 2 && group % 16 === 0 && divides(Q3_K, weight.shape[1]!)
}

/** The type that "auto" means for a model: Q3_K where it has room for all codes of 2 bits that need it. */
export const chooseFallback = (fallback: Fallback | "auto", layers: readonly Weight[]): Fallback => {
  if (fallback !== "auto") return fallback
  const ofTwoBits = layers.filter((layer) => extentsOf(layer)?.bits === 2 && sameGrid(layer) === undefined)
  return ofTwoBits.length > 0 && ofTwoBits.every(fitsQ3K) ? "Q3_K" : "Q8_0"
}

const fallBack = (weight: Weight, fallback: Fallback): Choice => {
  if (fallback === "Q3_K" && fitsQ3K(weight)) return { keeps: "codes", type: Q3_K }
  return { keeps: "nothing", type: fallback !== "F16" && divides(Q8_0, weight.shape[1]!) ? Q8_0 : F16 }
}

/** The type of one weight. */
export const chooseType = (weight: Weight, fallback: Fallback): Choice => {
  if (weight.choice.quantizer.id === noneQuantizer.id) return { keeps: "numbers", type: BF16 }
  const type = sameGrid(weight)
  return type === undefined ? fallBack(weight, fallback) : { keeps: "codes", type }
}

/** Whether the scales are in half precision, as those of the types are. */
const hasHalfScales = ({ choice: { quantizer, config }, shape }: Weight): boolean =>
  quantizer.stored(config, shape).every(({ name, dtype }) => name !== "scale" || dtype === "f16")

/** How far a weight may be in its type. Of Q4_1, Q3_K and Q8_0 the error of a small weight is one of its whole group: no share of it. */
export const holdingOf = (weight: Weight, fallback: Fallback): Holding => {
  const { type, keeps } = chooseType(weight, fallback)
  if (keeps === "nothing") return { as: "numbers", relErr: type === F16 ? roundingOf.f16 : undefined }
  if (keeps === "numbers") return codes()
  const isSame: boolean = type === Q4_0 || type === Q2_0
  return { as: "codes", relErr: isSame ? (hasHalfScales(weight) ? 0 : roundingOf.f16) : undefined }
}
