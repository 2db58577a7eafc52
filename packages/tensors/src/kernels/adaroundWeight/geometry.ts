/** Attributes and extents of AdaRound's soft rounding (arXiv:2004.10568; arXiv:2102.05426). */
import { InvalidAttribute } from "../../Errors.ts"
import type { Shape } from "../../Shape.ts"
import { expectAxes, expectInteger, expectSame, expectShape } from "../shapeRules.ts"

export interface AdaroundWeightAttributes {
  /** Bits of a weight code. */
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** Rounds up where alpha >= 0 instead of by h(alpha): after the optimization. */
  readonly hard: boolean
}

/** h(alpha) = clamp(sigmoid(alpha) (zeta - gamma) + gamma, 0, 1): a sigmoid stretched past 0 and 1, so that both are reached. */
export const stretch = { gamma: -0.1, zeta: 1.1 } as const

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
  expectInteger(kernel, "bits", bits, 1)
  if (bits > 16) throw new InvalidAttribute(kernel, "bits", bits, "at most 16")
  expectInteger(kernel, "group", group, 1)
  expectAxes(kernel, "weight", weight, 2)
  const [rows, columns] = weight as readonly [number, number]
  if (columns % group !== 0) {
    throw new InvalidAttribute(kernel, "group", group, `a divisor of the ${columns} columns of "weight"`)
  }
  expectShape(kernel, "scale", scale, [rows, columns / group])
  expectSame(kernel, "zero", zero, "scale", scale)
  expectSame(kernel, "alpha", alpha, "weight", weight)
}
