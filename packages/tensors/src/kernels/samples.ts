/** Random operands for the samples of kernels. */
import type { DType } from "../DType.ts"
import { type Shape, sizeOf } from "../Shape.ts"

export interface SampleRandom {
  nextUniform(): number
  nextNormal(): number
}

export interface SampleOperand {
  readonly shape: Shape
  readonly dtype?: DType
  readonly values: ArrayLike<number>
}

/** Normal numbers of the given spread around 0. */
export const normals = (random: SampleRandom, shape: Shape, spread = 1): SampleOperand => ({
  shape,
  values: Float32Array.from({ length: sizeOf(shape) }, () => spread * random.nextNormal())
})

/** Whole numbers in [0, limit). */
export const integers = (random: SampleRandom, shape: Shape, limit: number): SampleOperand => ({
  shape,
  dtype: "i32",
  values: Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(random.nextUniform() * limit))
})
