/** Checks that several kernels' shape rules share. */
import { InvalidAttribute, InvalidIndex, ShapeMismatch } from "../../core/Errors.ts"
import { formatShape, type Shape, sameShape } from "../../core/Shape.ts"

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

/** An operand must have exactly this many axes. */
export const expectAxes = (kernel: string, operand: string, shape: Shape, count: number): void => {
  if (shape.length !== count) throw new ShapeMismatch(kernel, operand, `${count} axes`, shape)
}

/** An attribute must be a whole number of at least `least`. */
export const expectInteger = (kernel: string, attribute: string, value: number, least: number): void => {
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidAttribute(kernel, attribute, value, `a whole number of at least ${least}`)
  }
}

/** An attribute "bits" must be a whole number from 1, or `least`, to `most`. */
export const expectBits = (kernel: string, bits: number, { least = 1, most = 8 } = {}): void => {
  expectInteger(kernel, "bits", bits, least)
  if (bits > most) throw new InvalidAttribute(kernel, "bits", bits, `at most ${most}`)
}

/** An attribute must be a finite number of at least `least`. */
export const expectAtLeast = (kernel: string, attribute: string, value: number, least: number): void => {
  if (!(value >= least && value < Number.POSITIVE_INFINITY)) {
    throw new InvalidAttribute(kernel, attribute, value, `a finite number of at least ${least}`)
  }
}

/** Every entry of an index operand must name one of `limit` rows. For bodies that can look at the numbers. */
export const expectRows = (kernel: string, operand: string, index: ArrayLike<number>, limit: number): void => {
  for (let i = 0; i < index.length; i++) {
    if (!(index[i]! >= 0 && index[i]! < limit)) {
      throw new InvalidIndex(kernel, operand, i, index[i]!, `a row in [0, ${limit})`)
    }
  }
}

/** Like expectRows, and no row may be named twice: the result would depend on the order of writes. */
export const expectDistinctRows = (kernel: string, operand: string, index: ArrayLike<number>, limit: number): void => {
  expectRows(kernel, operand, index, limit)
  const seen = new Set<number>()
  for (let i = 0; i < index.length; i++) {
    if (seen.has(index[i]!)) throw new InvalidIndex(kernel, operand, i, index[i]!, "each row at most once")
    seen.add(index[i]!)
  }
}
