/** One weight quantized, rounded to nearest, and packed. */
import { assertQuantizable, type PackedWeight, packWeight, type QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, scope, type Tensor } from "@speedq/tensors"

/** The weight stays the caller's. Raises NonFiniteWeight, WeightTooLarge. */
export const packNearest = async (name: string, choice: QuantizerChoice, weight: Tensor): Promise<PackedWeight> => {
  await assertQuantizable(name, weight, choice)
  const quantized = noGrad(() => scope(() => choice.quantizer.quantize(choice.config, cast(weight, "f32"))))
  try {
    return await packWeight(name, choice, weight.shape, quantized)
  } finally {
    for (const tensor of Object.values<Tensor>(quantized)) tensor.release()
  }
}
