/** A batch through projector and decoder: features and token ids to final hidden states. */
import { type Backend, type Tensor, tensor } from "@speedq/tensors"
import {
  decoder,
  imageTokenRows,
  type ModelDirectory,
  mergeEmbeddings,
  projector,
  type Weights
} from "@speedq/vlm-model"
import type { MicroBatch } from "./SampleSource.ts"

/** Hidden states [B, T, H] of a micro-batch; `features` are its tiles' (VisionFeatures.ts). Everything is in the caller's scope. */
export const hiddenStates = (
  backend: Backend,
  { config, tokens }: ModelDirectory,
  weights: Weights,
  batch: MicroBatch,
  features: Tensor | undefined
): Tensor => {
  const shape = [batch.size, batch.length]
  const integers = (values: ArrayLike<number>) => tensor(backend, Int32Array.from(values), shape, "i32")
  const visual = features === undefined ? [] : [projector(weights, features)]
  const rows = imageTokenRows(batch.inputIds, tokens.imageContext)
  const embeddings = mergeEmbeddings(weights, integers(batch.inputIds), visual, rows)
  const masked = batch.attentionMask.includes(0)
  return decoder(weights, config.llm_config, embeddings, {
    ids: integers(batch.positionIds),
    ...(masked ? { keyMask: integers(batch.attentionMask) } : {})
  })
}
