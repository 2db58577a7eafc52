/** One weight quantized, rounded to nearest, and packed. */
import { assertQuantizable, type PackedWeight, packWeight, type QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, scope, type Tensor } from "@speedq/tensors"

/** The weight stays the caller's. Raises NonFiniteWeight, WeightTooLarge. */
export const packNearest = async (layer: string, choice: QuantizerChoice, weight: Tensor): Promise<PackedWeight> => {
  await assertQuantizable(layer, weight, choice)
  const quantized = noGrad(() => scope(() => choice.quantizer.quantize(choice.config, cast(weight, "f32"))))
  try {
    return await packWeight(layer, choice, weight.shape, quantized)
  } finally {
    for (const tensor of Object.values<Tensor>(quantized)) tensor.release()
  }
}
