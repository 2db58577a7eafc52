/** One weight clamped to the ranges that the clipping search found, `LAYER.min` and `LAYER.max`. */
import { applyClipping } from "@speedq/quantizers"
import { cast, type Parameters, type Tensor } from "@speedq/tensors"

/** A new tensor in f32; undefined where there is no range for the weight. */
export const clampedWeight = (name: string, weight: Tensor, ranges: Parameters | undefined): Tensor | undefined => {
  const layer = name.replace(/\.weight$/, "")
  const [min, max] = [ranges?.[`${layer}.min`], ranges?.[`${layer}.max`]]
  return min && max ? applyClipping(cast(weight, "f32"), { min, max }) : undefined
}
