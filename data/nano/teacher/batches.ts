/** Fresh batches for the teacher: scenes that are drawn, asked about and collated, and never seen again. */
import { Random } from "@speedq/tensors"
import { collate, encodeConversation, type ModelDirectory, type TrainingBatch, tokensPerTile } from "@speedq/vlm-model"
import * as Result from "effect/Result"
import { conversation, type Mixture, makeSample, renderScene, type Sample } from "../generator/index.ts"

/** Samples as the network takes them. */
export const batchOf = (
  { config, tokenizer, image }: ModelDirectory,
  samples: ReadonlyArray<Sample>
): TrainingBatch => {
  const options = { tokenizer, tokensPerTile: tokensPerTile(config), maxLength: 1024 }
  const encoded = samples.map((sample) => ({
    ...Result.getOrThrow(encodeConversation(conversation(sample), [1], options)),
    tiles: { count: 1, size: image.tileSize, data: renderScene(sample.scene).data },
    imageFlags: Uint8Array.of(1),
    answerTokens: 1
  }))
  return collate(encoded, { statistics: image.statistics })
}

/** Batch `step` of a seed: the same whatever came before, so that a continued training sees the same scenes. */
export const freshBatch = (
  directory: ModelDirectory,
  mixture: Mixture,
  seed: number,
  step: number,
  size: number
): TrainingBatch => {
  const random = Random.make(seed, `teacher batch ${step}`)
  return batchOf(
    directory,
    Array.from({ length: size }, () => makeSample(random, mixture))
  )
}
