/** Random operands for the samples of kernels. */
import type { DType } from "../../core/DType.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import { toBfloat16, toFloat16 } from "../../numbers/halfPrecision.ts"

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

/** Uniform numbers in [low, high). */
export const uniforms = (random: SampleRandom, shape: Shape, low: number, high: number): SampleOperand => ({
  shape,
  values: Float32Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.nextUniform())
})

/** Normal numbers stored in 16 bits. */
export const halves = (random: SampleRandom, shape: Shape, dtype: "bf16" | "f16", spread = 1): SampleOperand => ({
  shape,
  dtype,
  values: Uint16Array.from({ length: sizeOf(shape) }, () =>
    (dtype === "bf16" ? toBfloat16 : toFloat16)(spread * random.nextNormal())
  )
})

/** Given whole numbers. */
export const indices = (values: readonly number[], shape: Shape = [values.length]): SampleOperand => ({
  shape,
  dtype: "i32",
  values
})

/** `count` different whole numbers in [0, limit), in random order. */
export const distinct = (random: SampleRandom, count: number, limit: number): SampleOperand => {
  const pool = Array.from({ length: limit }, (_, index) => index)
  return indices(
    Array.from({ length: count }, () => pool.splice(Math.floor(random.nextUniform() * pool.length), 1)[0]!)
  )
}

/** Shapes for elementwise kernels: one element, odd extents, none, more than a block, several blocks. */
export const elementwiseShapes: readonly Shape[] = [[1], [3, 17], [2, 5, 8], [0, 4], [1025], [67, 131]]

/** A sample of each of these shapes, with the operands that `inputs` draws. */
export const elementwiseSamples = <I, A>(inputs: (shape: Shape) => I, attributes: A) =>
  elementwiseShapes.map((shape) => ({ name: shape.join("x"), inputs: inputs(shape), attributes }))

/** Shapes for kernels that work row by row: one column, odd widths, no rows, wide rows, many rows. */
export const rowShapes: readonly Shape[] = [
  [1, 1],
  [3, 17],
  [2, 3, 5],
  [0, 4],
  [2, 1025],
  [131, 67]
]

/**
 * Weights [N, K] for quantizers: normal, with a constant group, a positive, a negative and a zero one after the first, where
 * there is room.
 */
export const groupedWeights = (random: SampleRandom, shape: Shape, group: number): SampleOperand => {
  const kinds = [() => 0.25, Math.abs, (value: number) => -Math.abs(value), () => 0]
  const values = Float32Array.from(normals(random, shape, 0.05).values, (value, i) => {
    const index = Math.floor(i / group)
    return index > 0 ? (kinds[index - 1]?.(value) ?? value) : value
  })
  return { shape, values }
}

/** The operand [R, C] with NaN and infinities in one row: what nobody may look at. */
export const spoiledRow = ({ shape, values }: SampleOperand, row: number): SampleOperand => {
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const columns = shape[1]!
  const inRow = (i: number) => Math.floor(i / columns) === row
  return { shape, values: Float32Array.from(values, (value, i) => (inRow(i) ? specials[i % 3]! : value)) }
}
