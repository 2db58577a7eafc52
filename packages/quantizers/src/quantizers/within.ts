/** Bounds of scales: none may be 0, or more than its format holds. */
import { clampGroups, type Tensor, tensor } from "@speedq/tensors"

/** A tensor of the same shape that holds one number. */
export const filled = ({ backend, shape, size }: Tensor, value: number): Tensor =>
  tensor(backend, new Float32Array(size).fill(value), shape)

/** Numbers [N, G] in f32, those beyond a bound in its place. NaN stays. */
export const within = (numbers: Tensor, least: number, most: number): Tensor =>
  clampGroups(numbers, filled(numbers, least), filled(numbers, most))
