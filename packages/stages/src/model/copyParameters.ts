/** Copies of frozen weights to train on. */
import { cast, type Parameters } from "@speedq/tensors"
import { byName } from "../artefacts/tensorCodec.ts"

/**
 * New f32 tensors with the numbers of the chosen weights; 16-bit ones are widened. They are in order of name, as they are
 * when a continued run loads them: sums over all of them, such as the gradients' norm, then have the same bits.
 */
export const copyParameters = (weights: Parameters, select: (name: string) => boolean): Parameters =>
  Object.fromEntries(
    Object.entries(weights)
      .filter(([name]) => select(name))
      .sort(byName)
      .map(([name, weight]) => [name, cast(weight, "f32")])
  )
