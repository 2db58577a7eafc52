/**
 * Clipping (arXiv:2511.08914 §3): weights are clipped to the ranges that the search found (clipping.ts), once, before they are
 * trained or rounded.
 */
import { cast, clampGroups, type Parameters, type Tensor } from "@speedq/tensors"

/** A range for each group of input columns of each row, [out, in / g]. */
export interface ClipRange {
  readonly min: Tensor
  readonly max: Tensor
}

/** The weight with every group clipped to its range. */
export const clipWeight = (weight: Tensor, { min, max }: ClipRange): Tensor => clampGroups(weight, min, max)

/**
 * The weight of a layer in f32, clipped to its range among those that the search found, `LAYER.min` and `LAYER.max`: a new tensor.
 * Undefined where the layer has no range.
 */
export const clippedWeight = (layer: string, weight: Tensor, ranges: Parameters | undefined): Tensor | undefined => {
  const [min, max] = [ranges?.[`${layer}.min`], ranges?.[`${layer}.max`]]
  return min && max ? clipWeight(cast(weight, "f32"), { min, max }) : undefined
}
