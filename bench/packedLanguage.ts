/** The language model of the cases as it is shipped: decoder in 2 bits, embedding and head in 4. */
import { packedWeights, packNearest } from "@speedq/exports"
import { bilevel, embeddingSym4, type PackedWeight, type QuantizerChoice } from "@speedq/quantizers"
import { type Parameters, sizeOf } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import { bytesOfWeights } from "./realModel.ts"

const decoder = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const ends = embeddingSym4({ group: 32 })

const choiceOf = (name: string): QuantizerChoice => (/embed_tokens|lm_head/.test(name) ? ends : decoder)

/** What a product of few rows reads of a packed weight: its codes, and a scale and a zero point in f32 a group. */
const bytesRead = ({ shape, choice: { quantizer, config } }: PackedWeight): number => {
  const { bits, group } = quantizer.affine!.extents(config)!
  return sizeOf(shape) * (bits / 8 + 8 / group)
}

/** Packs all matrices, to nearest, and lets go of them. */
export const packedLanguage = async (
  parameters: Parameters
): Promise<{ readonly weights: Weights; readonly bytesOf: (name: string) => number; readonly bytes: number }> => {
  const [packed, others] = [new Map<string, PackedWeight>(), { ...parameters }]
  for (const [name, weight] of Object.entries(parameters)) {
    if (weight.shape.length !== 2) continue
    packed.set(name, await packNearest(name, choiceOf(name), weight))
    weight.release()
    delete others[name]
  }
  const bytesOf = (name: string): number => bytesRead(packed.get(name)!)
  const bytes = [...packed.keys()].reduce((sum, name) => sum + bytesOf(name), bytesOfWeights(others))
  return { weights: packedWeights(packed, others), bytesOf, bytes }
}
