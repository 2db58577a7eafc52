/** Extents of weights [N, K] whose rows are cut into groups of columns. */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import { formatShape, type Shape } from "../../core/Shape.ts"
import { expectAxes, expectInteger } from "../operands/shapeRules.ts"

export interface GroupExtents {
  /** N: output rows. */
  readonly rows: number
  /** K: input columns. */
  readonly columns: number
  /** K / g: groups of a row. Scales and zero points are [N, K / g]. */
  readonly groups: number
}

/** Extents of a weight, or its codes, [N, K] in groups of `group` columns. Raises ShapeMismatch and InvalidAttribute. */
export const groupExtents = (kernel: string, weight: Shape, group: number, operand = "weight"): GroupExtents => {
  expectAxes(kernel, operand, weight, 2)
  expectInteger(kernel, "group", group, 1)
  const [rows, columns] = weight as readonly [number, number]
  if (columns % group !== 0) {
    throw new InvalidAttribute(kernel, "group", group, `a divisor of the ${columns} columns of "${operand}"`)
  }
  return { rows, columns, groups: columns / group }
}

/** Columns of a group, for a weight or its codes [N, K] and one number a group [N, K / g]. Raises ShapeMismatch. */
export const groupWidth = (
  kernel: string,
  [operand, weight]: readonly [name: string, shape: Shape],
  [parameter, shape]: readonly [name: string, shape: Shape]
): number => {
  const [rows, columns] = weight
  const groups = shape[1]
  if (weight.length !== 2 || shape.length !== 2 || shape[0] !== rows || !groups || columns! % groups !== 0) {
    throw new ShapeMismatch(kernel, parameter, `[N, groups] for "${operand}" ${formatShape(weight)}`, shape)
  }
  return columns! / groups
}
