/** Checks that several kernels' shape rules share. */
import { InvalidAttribute, ShapeMismatch } from "../Errors.ts"
import { formatShape, type Shape, sameShape } from "../Shape.ts"

/** Two operands must have one shape. */
export const expectSame = (kernel: string, operand: string, shape: Shape, other: string, expected: Shape): void => {
  if (!sameShape(shape, expected))
    throw new ShapeMismatch(kernel, operand, `${formatShape(expected)} as "${other}"`, shape)
}

/** An operand must have exactly this shape. */
export const expectShape = (kernel: string, operand: string, shape: Shape, expected: Shape): void => {
  if (!sameShape(shape, expected)) throw new ShapeMismatch(kernel, operand, formatShape(expected), shape)
}

/** An operand must have at least this many axes. */
export const expectRank = (kernel: string, operand: string, shape: Shape, least: number): void => {
  if (shape.length < least) throw new ShapeMismatch(kernel, operand, `at least ${least} axes`, shape)
}

/** An attribute must be a whole number of at least `least`. */
export const expectInteger = (kernel: string, attribute: string, value: number, least: number): void => {
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidAttribute(kernel, attribute, value, `a whole number of at least ${least}`)
  }
}
