/** A trained vision tower in packed form, as stage 1 would give it. */
import { packNearest, releasePacked } from "@speedq/exports"
import type { PackedWeight, PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { layerOf } from "@speedq/vlm-model"

/** Rounds each weight of `tower` to nearest by its choice. Raises NonFiniteWeight, WeightTooLarge; nothing stays allocated then. */
export const packTower = async (
  tower: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>
): Promise<PackedWeights> => {
  const packed = new Map<string, PackedWeight>()
  try {
    for (const [name, parameter] of Object.entries(tower)) {
      packed.set(name, await packNearest(name, choices.get(layerOf(name))!, parameter))
    }
    return packed
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}
