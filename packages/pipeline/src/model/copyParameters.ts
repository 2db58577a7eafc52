/** Copies of frozen weights to train on. */
import { cast, type Parameters } from "@speedq/tensors"

/** New f32 tensors with the numbers of the chosen weights; 16-bit ones are widened. */
export const copyParameters = (weights: Parameters, select: (name: string) => boolean): Parameters =>
  Object.fromEntries(
    Object.entries(weights).flatMap(([name, weight]) => (select(name) ? [[name, cast(weight, "f32")] as const] : []))
  )
