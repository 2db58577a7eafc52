/** The models of the cases as they are shipped: Linears in 2 bits, embedding and head in 4. */
import { packedWeights, packNearest, withActivations } from "@speedq/exports"
import { layerOf } from "@speedq/formats"
import { bilevel, embeddingSym4, type PackedWeight, type QuantizerChoice } from "@speedq/quantizers"
import { type Activations, type Parameters, sizeOf } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import { bytesOfWeights } from "./realModel.ts"

const linears = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const ends = embeddingSym4({ group: 32 })

const choiceOf = (name: string): QuantizerChoice => (/embed_tokens|lm_head/.test(name) ? ends : linears)

/** What a product of few rows reads of a packed weight: its codes, a byte a group, and its scales in f32, which 16 rows share under `bilevel`. */
const bytesRead = ({ shape, choice: { quantizer, config } }: PackedWeight): number => {
  const { bits, group } = quantizer.affine!.extents(config)!
  const scaleBytes = quantizer.id === "bilevel" ? (2 * 4) / 16 : 4
  return sizeOf(shape) * (bits / 8 + (1 + scaleBytes) / group)
}

/** Packs all matrices, to nearest, and lets go of them. */
export const packedMatrices = async (
  parameters: Parameters,
  activations: Activations
): Promise<{ readonly weights: Weights; readonly bytesOf: (name: string) => number; readonly bytes: number }> => {
  const [packed, others] = [new Map<string, PackedWeight>(), { ...parameters }]
  for (const [name, weight] of Object.entries(parameters)) {
    if (weight.shape.length !== 2) continue
    packed.set(layerOf(name), await packNearest(layerOf(name), choiceOf(name), weight))
    weight.release()
    delete others[name]
  }
  const bytesOf = (name: string): number => bytesRead(packed.get(layerOf(name))!)
  const bytes = [...packed.keys()].reduce((sum, name) => sum + bytesOf(name), bytesOfWeights(others))
  return { weights: withActivations(packedWeights(packed, others), packed, activations), bytesOf, bytes }
}
