/** Matrices in packed form, rounded to nearest: a trained tower as stage 1 would give it, or what a stage keeps in codes. */
import { packNearest, releasePacked } from "@speedq/exports"
import { layerOf } from "@speedq/formats"
import type { PackedWeight, PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"

/** Rounds each of `matrices` to nearest by the choice of its layer. Raises NonFiniteWeight, WeightTooLarge; nothing stays allocated then. */
export const packMatrices = async (
  matrices: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>
): Promise<PackedWeights> => {
  const packed = new Map<string, PackedWeight>()
  try {
    for (const [name, parameter] of Object.entries(matrices)) {
      const layer = layerOf(name)
      packed.set(layer, await packNearest(layer, choices.get(layer)!, parameter))
    }
    return packed
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}
