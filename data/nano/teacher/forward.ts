/** Pictures and text through the whole network. */
import { type Tensor, tensor } from "@speedq/tensors"
import {
  decoder,
  imageTokenRows,
  type ModelDirectory,
  mergeEmbeddings,
  projector,
  type TrainingBatch,
  visionFeatures,
  type Weights
} from "@speedq/vlm-model"

/** Final hidden states of a batch, [B, T, H]. */
export const hiddenStates = ({ config, tokens }: ModelDirectory, weights: Weights, batch: TrainingBatch): Tensor => {
  const { backend } = weights.get("mlp1.1.weight")
  const integers = (values: ArrayLike<number>) =>
    tensor(backend, Int32Array.from(values), [batch.size, batch.length], "i32")
  const pixels = tensor(backend, batch.pixelValues, [batch.size, 3, batch.tileSize, batch.tileSize])
  const visual = projector(weights, visionFeatures(weights, config, pixels))
  const rows = imageTokenRows(batch.inputIds, tokens.imageContext)
  const embeddings = mergeEmbeddings(weights, integers(batch.inputIds), [visual], rows)
  return decoder(weights, config.llm_config, embeddings, {
    ids: integers(batch.positionIds),
    keyMask: integers(batch.attentionMask)
  })
}
