/** Extents of a grid of codes: one scale and zero point for each group of input columns. */
import type { Shape } from "../../core/Shape.ts"
import { groupWidth } from "../groups/extents.ts"
import { expectBits, expectShape } from "../operands/shapeRules.ts"

export interface GridAttributes {
  /** Bits of a code: 1 to 8. */
  readonly bits: number
}

export interface GridCodesAttributes extends GridAttributes {
  /** "f16" rounds quotient and sum to half precision, as the reference does for the embedding (docs/quirks.md#quirk-5). Default "f32". */
  readonly arithmetic?: "f32" | "f16"
}

/** Columns of a group, for a weight [N, K] and scales [N, K / g]. Raises ShapeMismatch and InvalidAttribute. */
export const gridGroup = (
  kernel: string,
  weight: Shape,
  scale: Shape,
  zero: Shape,
  { bits }: GridAttributes,
  operand = "weight"
): number => {
  expectBits(kernel, bits)
  const group = groupWidth(kernel, [operand, weight], ["scale", scale])
  expectShape(kernel, "zero", zero, scale)
  return group
}
