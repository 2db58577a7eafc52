/** A trained vision tower in packed form, as stage 1 would give it. */
import { packNearest, releasePacked } from "@speedq/exports"
import { layerOf } from "@speedq/formats"
import type { PackedWeight, PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"

/** Rounds each weight of `tower` to nearest by its choice. Raises NonFiniteWeight, WeightTooLarge; nothing stays allocated then. */
export const packTower = async (
  tower: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>
): Promise<PackedWeights> => {
  const packed = new Map<string, PackedWeight>()
  try {
    for (const [name, parameter] of Object.entries(tower)) {
      const layer = layerOf(name)
      packed.set(layer, await packNearest(layer, choices.get(layer)!, parameter))
    }
    return packed
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}
