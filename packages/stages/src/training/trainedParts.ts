/** Which parameters the option `train` means, by name. */
import { layerOf } from "@speedq/formats"
import { blocksUsed, embeddingAndHead, type ModelConfig, towerOf, visionBlockName } from "@speedq/vlm-model"
import type { Quantized, TrainingOptions } from "./TrainingMethod.ts"

/** Parameters of the projector and the language model: embedding and head stay as they were quantized, unless the head is trained. */
export const trainsBeyondTower = (
  name: string,
  { embeddings }: Quantized,
  { train }: TrainingOptions,
  { llm_config }: ModelConfig
): boolean => {
  if (towerOf(name) === "projector") return train?.projector ?? true
  const layer = layerOf(name)
  const [, head] = embeddingAndHead(llm_config)
  return !embeddings.choices.has(layer) || (layer === head && (train?.head ?? false))
}

/** Parameters of the last blocks of the tower, of those that run. */
export const trainsLastBlocks = (name: string, { train }: TrainingOptions, config: ModelConfig): boolean => {
  const blocks = blocksUsed(config)
  return Array.from({ length: train?.visionLayers ?? 0 }, (_, at) => `${visionBlockName(blocks - 1 - at)}.`).some(
    (block) => name.startsWith(block)
  )
}
