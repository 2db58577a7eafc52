/**
 * Attributes and extents of single-level group quantization (docs/method.md, "Flat quantizers", "Embedding and head"
 * and "Clipping search").
 */
import type { Shape } from "../../core/Shape.ts"
import { groupExtents } from "../groups/extents.ts"
import { expectBits } from "../operands/shapeRules.ts"

export interface UniformAttributes {
  /** Bits of a code, 1 to 8. */
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** Range [-a, a] with a the largest magnitude, and zero point (2^b - 1) / 2 rounded down; else [min, max]. */
  readonly symmetric: boolean
  /**
   * "sum": rne(w / scale + zero), and a range of nothing becomes [-1, 1] (SPEED-Q's routine).
   * "nearestThenZero": rne(w / scale) + zero. "halfAwayThenZero": the same with halves away from zero.
   */
  readonly rounding: "sum" | "nearestThenZero" | "halfAwayThenZero"
  /** Whether the asymmetric zero point -min / scale is rounded and clamped to the codes; else it stays a real number. */
  readonly roundZero: boolean
  /** Whether the gradient also flows through the scale to the extremes of the group, as autograd does, or stops there. */
  readonly rangeGradient: boolean
}

/** Shape [N, K / g] of scales and zero points, after a check of all attributes. Raises ShapeMismatch and InvalidAttribute. */
export const uniformParameterShape = (kernel: string, weight: Shape, { bits, group }: UniformAttributes): Shape => {
  expectBits(kernel, bits)
  const { rows, groups } = groupExtents(kernel, weight, group)
  return [rows, groups]
}
