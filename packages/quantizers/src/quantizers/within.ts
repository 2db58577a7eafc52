/** Bounds of scales: none may be 0, or more than its format holds. */
import { clampGroups, generate, type Tensor, viewAs } from "@speedq/tensors"

/** A tensor of the same shape that holds one number, written where it stays: the groups of a head are millions. */
export const filled = ({ backend, shape }: Tensor, value: number): Tensor =>
  generate(backend, { shape, dtype: "f32" }, (bytes) => viewAs("f32", bytes).fill(value))

/** Numbers [N, G] in f32, those beyond a bound in its place. NaN stays. */
export const within = (numbers: Tensor, least: number, most: number): Tensor =>
  clampGroups(numbers, filled(numbers, least), filled(numbers, most))
