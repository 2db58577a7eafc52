/**
 * AWQ's clipping (arXiv:2306.00978): for each group of a weight, how far its largest magnitude is shrunk before the group is rounded to
 * nearest, so that its share of the output changes least.
 *
 *   w' = clamp(w, -c, c),  c = max |w| (1 - p / 20),  p = 0 .. 9, the first of equal ones
 *   error = d^T G d,  d = rounded w' - w,  G = sum over tokens of x x^T
 *
 * The paper's code takes every floor(N / 512)-th token to measure errors; G has all of them at once.
 */
import { noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import type { QuantizerChoice } from "../quantizer/Quantizer.ts"

export interface AwqClipOptions {
  /** Input columns of a group. */
  readonly group: number
  /** Steps that a magnitude is cut into, 20, and the share that it may lose, 0.5. */
  readonly gridSize: number
  readonly maxShrink: number
}

/**
 * The part of G that errors need: row i has its products with the columns of its own group, [K, group]. Columns of the inputs are
 * divided by `scales`, where there are any.
 */
const groupMoments = (
  moments: ArrayLike<number>,
  columns: number,
  group: number,
  scales: ArrayLike<number> | undefined
): Float64Array => {
  const own = new Float64Array(columns * group)
  for (let i = 0; i < columns; i++) {
    const first = i - (i % group)
    for (let j = 0; j < group; j++) {
      const moment = moments[i * columns + first + j]!
      own[i * group + j] = scales === undefined ? moment : moment / (scales[i]! * scales[first + j]!)
    }
  }
  return own
}

/** d^T G d of group [first, first + group) of a row. */
const groupError = (
  changed: ArrayLike<number>,
  weight: ArrayLike<number>,
  moments: Float64Array,
  row: number,
  columns: number,
  first: number,
  group: number
): number => {
  const at = row * columns + first
  let error = 0
  for (let i = 0; i < group; i++) {
    const d = changed[at + i]! - weight[at + i]!
    const line = (first + i) * group
    let sum = 0
    for (let j = 0; j < group; j++) sum += moments[line + j]! * (changed[at + j]! - weight[at + j]!)
    error += d * sum
  }
  return error
}

/**
 * The weight [N, K], f32, with every group clipped as is best. `moments` are X^T X [K, K] of its inputs, before these are divided by
 * `scales` [K].
 */
export const awqClip = async (
  { quantizer, config }: QuantizerChoice,
  weight: Tensor,
  moments: ArrayLike<number>,
  { group, gridSize, maxShrink }: AwqClipOptions,
  scales?: ArrayLike<number>
): Promise<Float32Array> => {
  const { backend, shape } = weight
  const [rows, columns] = shape as readonly [number, number]
  const groups = columns / group
  const own = groupMoments(moments, columns, group, scales)
  const original = (await weight.read()) as Float32Array
  const largest = Float32Array.from({ length: rows * groups }, (_, at) =>
    original.subarray(at * group, (at + 1) * group).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  )
  const best = largest.slice()
  const errors = new Float64Array(rows * groups).fill(Number.POSITIVE_INFINITY)
  const clipped = (limits: Float32Array): Float32Array =>
    original.map((value, at) => {
      const limit = limits[Math.floor(at / group)]!
      return Math.min(Math.max(value, -limit), limit)
    })
  for (let step = 0; step < Math.floor(maxShrink * gridSize); step++) {
    const limits = largest.map((value) => value * (1 - step / gridSize))
    const tried = noGrad(() => scope(() => quantizer.fakeQuantize(config, tensor(backend, clipped(limits), shape))))
    const values = await tried.read()
    tried.release()
    for (let at = 0; at < errors.length; at++) {
      const [row, first] = [Math.floor(at / groups), (at % groups) * group]
      const error = groupError(values, original, own, row, columns, first, group)
      if (error >= errors[at]!) continue
      errors[at] = error
      best[at] = limits[at]!
    }
  }
  return clipped(best)
}
