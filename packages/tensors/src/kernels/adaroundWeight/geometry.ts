/** Attributes and extents of AdaRound's soft rounding (arXiv:2004.10568; arXiv:2102.05426). */
import type { Shape } from "../../core/Shape.ts"
import { groupExtents } from "../groups/extents.ts"
import { expectBits, expectSame, expectShape } from "../operands/shapeRules.ts"

export interface AdaroundWeightAttributes {
  /** Bits of a weight code. */
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** Rounds up where alpha >= 0 instead of by h(alpha): after the optimization. */
  readonly hard: boolean
}

/** h(alpha) = clamp(sigmoid(alpha) (zeta - gamma) + gamma, 0, 1): a sigmoid stretched past 0 and 1, so that both are reached. */
export const adaroundStretch = { gamma: -0.1, zeta: 1.1 } as const

/** Checks weight [N, K], scale and zero [N, K / group], alpha [N, K]. Raises ShapeMismatch and InvalidAttribute. */
export const checkAdaround = (
  kernel: string,
  {
    weight,
    scale,
    zero,
    alpha
  }: { readonly weight: Shape; readonly scale: Shape; readonly zero: Shape; readonly alpha: Shape },
  { bits, group }: Pick<AdaroundWeightAttributes, "bits" | "group">
): void => {
  expectBits(kernel, bits, { most: 16 })
  const { rows, groups } = groupExtents(kernel, weight, group)
  expectShape(kernel, "scale", scale, [rows, groups])
  expectSame(kernel, "zero", zero, "scale", scale)
  expectSame(kernel, "alpha", alpha, "weight", weight)
}
