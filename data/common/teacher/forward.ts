/** Pictures and text through the whole network. */
import { hiddenStates as hiddenStatesOf } from "@speedq/stages"
import { type Tensor, tensor } from "@speedq/tensors"
import { type ModelDirectory, type TrainingBatch, visionFeatures, type Weights } from "@speedq/vlm-model"

/** Final hidden states of a batch, [B, T, H]; the vision tower learns too. */
export const hiddenStates = (directory: ModelDirectory, weights: Weights, batch: TrainingBatch): Tensor => {
  const { backend } = weights.get("mlp1.1.weight")
  const pixels = tensor(backend, batch.pixelValues, [batch.imageFlags.length, 3, batch.tileSize, batch.tileSize])
  const features = visionFeatures(weights, directory.config, pixels)
  return hiddenStatesOf({ backend, directory, weights, batch, features })
}
