/** How far the numbers of an export are from those that the run computes with. */
import { noGrad, scope, sumSquaresInto, type Tensor, zeros } from "@speedq/tensors"

export interface Difference {
  /** Largest difference of a number; 0 is exact, NaN where one is NaN. */
  readonly maxAbsErr: number
  /** Largest relative error of a tensor: |w' - w| / |w| in the 2-norm. */
  readonly relErr: number
}

export const exact: Difference = { maxAbsErr: 0, relErr: 0 }

/** The larger of both, each for itself. */
export const larger = (a: Difference, b: Difference): Difference => ({
  maxAbsErr: Math.max(a.maxAbsErr, b.maxAbsErr),
  relErr: Math.max(a.relErr, b.relErr)
})

const ratio = (error: number, whole: number): number => (error === 0 ? 0 : error / whole)

/** Sum of the squares of a tensor's numbers, in f32. */
export const sumOfSquares = async (tensor: Tensor): Promise<number> => {
  const total = noGrad(() =>
    scope(() => {
      const squares = zeros(tensor.backend, [1])
      sumSquaresInto(squares, tensor)
      return squares
    })
  )
  const [sum = 0] = await total.read()
  total.release()
  return sum
}

/** Largest absolute difference of numbers in the same places, of as many as `a` has; NaN where one is NaN. */
export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let largest = 0
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!))
  return largest
}

/** What the difference of a whole tensor is made of, of a part of it. */
export interface DifferenceSums {
  readonly maxAbsErr: number
  /** Sum of the squares of the differences. */
  readonly errors: number
  /** Sum of the squares of the numbers. */
  readonly squares: number
}

const sumsOf = (a: ArrayLike<number>, b: ArrayLike<number>): DifferenceSums => {
  let [errors, squares] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    errors += (b[i]! - a[i]!) ** 2
    squares += a[i]! ** 2
  }
  return { errors, squares, maxAbsErr: largestDifference(a, b) }
}

/** How far the numbers of one tensor are from others, of which parts come one after the other. */
export const differenceInParts = () => {
  let [errors, squares, maxAbsErr] = [0, 0, 0]
  const addSums = (part: DifferenceSums): void => {
    errors += part.errors
    squares += part.squares
    maxAbsErr = Math.max(maxAbsErr, part.maxAbsErr)
  }
  return {
    addSums,
    /** How far the numbers `b` are from the numbers `a`. */
    add: (a: ArrayLike<number>, b: ArrayLike<number>): void => addSums(sumsOf(a, b)),
    total: (): Difference => ({ maxAbsErr, relErr: ratio(Math.sqrt(errors), Math.sqrt(squares)) })
  }
}

/** How far the numbers `b` are from the numbers `a`. */
export const differenceOf = (a: ArrayLike<number>, b: ArrayLike<number>): Difference => {
  const parts = differenceInParts()
  parts.add(a, b)
  return parts.total()
}
