/** Attributes and extents of the asymmetric clipping search (docs/method.md, "Clipping search"). */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import { expectInteger } from "../operands/shapeRules.ts"

export interface GramAttributes {
  /** Input columns that share a range. */
  readonly group: number
}

export interface ClipSearchAttributes {
  readonly bits: number
  /** Input columns that share a range. */
  readonly group: number
  /** Steps that a full shrink to zero would be cut into: 20. */
  readonly gridSize: number
  /** Share of the range that shrinking stops at: 0.5, that is 10 candidates an end. */
  readonly maxShrink: number
  /**
   * "bf16" rounds every operation on a weight and every error, before it is compared, as the reference does (docs/quirks.md#quirk-5).
   * Sums over weights and tokens stay in single precision: their order is a device's own. Default "f32".
   */
  readonly arithmetic?: "f32" | "bf16"
}

/** Candidates for one end of the range, the unshrunk one included. */
export const candidatesPerEnd = ({ gridSize, maxShrink }: ClipSearchAttributes): number =>
  Math.trunc(maxShrink * gridSize)

/** Column groups of a weight [N, K]. Raises ShapeMismatch and InvalidAttribute. */
export const clipGroups = (
  kernel: string,
  operand: string,
  columns: Shape,
  attributes: ClipSearchAttributes
): number => {
  const { bits, group, gridSize, maxShrink } = attributes
  expectInteger(kernel, "bits", bits, 1)
  expectInteger(kernel, "group", group, 1)
  expectInteger(kernel, "gridSize", gridSize, 1)
  if (!(maxShrink > 0 && maxShrink <= 1) || candidatesPerEnd(attributes) < 1) {
    throw new InvalidAttribute(kernel, "maxShrink", maxShrink, `in (0, 1] and at least one step of ${gridSize}`)
  }
  const width = columns.at(-1)
  if (columns.length !== 2 || width === undefined || width % group !== 0) {
    throw new ShapeMismatch(kernel, operand, `two axes, the last a multiple of group ${group}`, columns)
  }
  return width / group
}
