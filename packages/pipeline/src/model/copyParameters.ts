/** Copies of frozen weights to train on. */
import { cast, type Parameters, scale, type Tensor } from "@speedq/tensors"

/** New f32 tensors with the numbers of the chosen weights; 16-bit ones are widened. */
export const copyParameters = (weights: Parameters, select: (name: string) => boolean): Parameters =>
  Object.fromEntries(
    Object.entries(weights).flatMap(([name, weight]) => (select(name) ? [[name, widenedCopy(weight)] as const] : []))
  )

/** Times one is exact: the copy has the same bits. */
const widenedCopy = (weight: Tensor): Tensor => (weight.dtype === "f32" ? scale(weight, 1) : cast(weight, "f32"))
