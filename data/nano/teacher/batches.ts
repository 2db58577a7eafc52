/** Fresh batches for the teacher: scenes that are drawn, asked about and collated, and never seen again. */
import { Random } from "@speedq/tensors"
import { collate, encodeConversation, type ModelDirectory, type TrainingBatch, tokensPerTile } from "@speedq/vlm-model"
import * as Result from "effect/Result"
import { conversation, type Mixture, makeSample, renderScene } from "../generator/index.ts"

/** Batch `step` of a seed: the same whatever came before, so that a continued training sees the same scenes. */
export const freshBatch = (
  { config, tokenizer, image }: ModelDirectory,
  mixture: Mixture,
  seed: number,
  step: number,
  size: number
): TrainingBatch => {
  const random = Random.make(seed, `teacher batch ${step}`)
  const samples = Array.from({ length: size }, () => {
    const sample = makeSample(random, mixture)
    const options = { tokenizer, tokensPerTile: tokensPerTile(config), maxLength: 1024 }
    const encoded = Result.getOrThrow(encodeConversation(conversation(sample), [1], options))
    const tiles = { count: 1, size: image.tileSize, data: renderScene(sample.scene) }
    return { ...encoded, tiles, imageFlags: Uint8Array.of(1), answerTokens: 1 }
  })
  return collate(samples, { statistics: image.statistics })
}
