/** Extents of a grid of codes: one scale and zero point for each group of input columns. */
import { InvalidAttribute, ShapeMismatch } from "../../Errors.ts"
import { formatShape, type Shape } from "../../Shape.ts"
import { expectInteger, expectShape } from "../shapeRules.ts"

export interface GridAttributes {
  /** Bits of a code: 1 to 8. */
  readonly bits: number
}

export interface GridCodesAttributes extends GridAttributes {
  /** "f16" rounds quotient and sum to half precision, as the reference does for the embedding (quirk 5). Default "f32". */
  readonly arithmetic?: "f32" | "f16"
}

/** Columns of a group, for a weight [N, K] and scales [N, K / g]. Raises ShapeMismatch and InvalidAttribute. */
export const gridGroup = (
  kernel: string,
  weight: Shape,
  scale: Shape,
  zero: Shape,
  { bits }: GridAttributes
): number => {
  expectInteger(kernel, "bits", bits, 1)
  if (bits > 8) throw new InvalidAttribute(kernel, "bits", bits, "at most 8")
  const [rows, columns] = weight
  const groups = scale[1]
  if (weight.length !== 2 || scale.length !== 2 || scale[0] !== rows || !groups || columns! % groups !== 0) {
    throw new ShapeMismatch(kernel, "scale", `[N, groups] for [N, K] = ${formatShape(weight)}`, scale)
  }
  expectShape(kernel, "zero", zero, scale)
  return columns! / groups
}
