/** Attributes and extents of single-level group quantization (internvl3.md 6.1, 6.4, 6.7, 6.8). */
import { InvalidAttribute } from "../../Errors.ts"
import type { Shape } from "../../Shape.ts"
import { expectAxes, expectInteger } from "../shapeRules.ts"

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

export interface GroupExtents {
  /** N: output rows. */
  readonly rows: number
  /** K / g: groups of a row. Scales and zero points are [N, K / g]. */
  readonly groups: number
}

/** Extents of the groups of a weight, or its codes, [N, K]. Raises ShapeMismatch and InvalidAttribute. */
export const groupExtents = (kernel: string, weight: Shape, group: number, operand = "weight"): GroupExtents => {
  expectAxes(kernel, operand, weight, 2)
  expectInteger(kernel, "group", group, 1)
  const [rows, columns] = weight as readonly [number, number]
  if (columns % group !== 0) {
    throw new InvalidAttribute(kernel, "group", group, `a divisor of the ${columns} columns of "${operand}"`)
  }
  return { rows, groups: columns / group }
}

/** Extents after a check of all attributes. Raises ShapeMismatch and InvalidAttribute. */
export const uniformExtents = (kernel: string, weight: Shape, { bits, group }: UniformAttributes): GroupExtents => {
  expectInteger(kernel, "bits", bits, 1)
  if (bits > 8) throw new InvalidAttribute(kernel, "bits", bits, "at most 8")
  return groupExtents(kernel, weight, group)
}
