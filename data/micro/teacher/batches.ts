/** Fresh batches for the teacher: scenes that are drawn, asked about and collated, and never seen again. */
import { Random } from "@speedq/tensors"
import {
  collate,
  encodeConversation,
  imageTiles,
  type ModelDirectory,
  type TrainingBatch,
  tokensPerTile
} from "@speedq/vlm-model"
import * as Result from "effect/Result"
import { chance, weighted } from "../../common/draws.ts"
import { conversation, enlarged, type Mixture, makeSample, renderScene, type Sample } from "../generator/index.ts"
import type { Part } from "./curriculum.ts"

/** Samples as the network takes them: their pictures cut into tiles. */
export const batchOf = (
  { config, tokenizer, image: settings }: ModelDirectory,
  samples: ReadonlyArray<Sample>,
  enlarge = false
): TrainingBatch => {
  const options = { tokenizer, tokensPerTile: tokensPerTile(config), maxLength: 1024 }
  const encoded = samples.map((sample) => {
    const picture = renderScene(sample.scene)
    const tiles = imageTiles(enlarge ? enlarged(picture) : picture, settings)
    return {
      ...Result.getOrThrow(encodeConversation(conversation(sample), [tiles.count], options)),
      tiles,
      imageFlags: new Uint8Array(tiles.count).fill(1),
      answerTokens: 1
    }
  })
  return collate(encoded, { statistics: settings.statistics })
}

/**
 * One draw of what a mixture leaves open, for a whole batch: samples of one layout, with as many questions, all with a caption or none,
 * are about equally long, and little of the batch is padding.
 */
const narrowed = (mixture: Mixture, random: Random): Mixture => {
  const layout = weighted(random, mixture.layouts)
  const questions = 1 + random.nextInteger(mixture.mostQuestions)
  return {
    ...mixture,
    layouts: [Number(layout === 0), Number(layout === 1), Number(layout === 2)],
    leastQuestions: questions,
    mostQuestions: questions,
    captionPercent: chance(random, mixture.captionPercent, 100) ? 100 : 0
  }
}

/** Batch `step` of a seed: the same whatever came before, so that a continued training sees the same scenes. */
export const freshBatch = (
  directory: ModelDirectory,
  { mixture, enlargedPercent = 0 }: Part,
  seed: number,
  step: number,
  size: number
): TrainingBatch => {
  const random = Random.make(seed, `teacher batch ${step}`)
  const enlarge = chance(random, enlargedPercent, 100)
  const alone: Mixture = enlarge ? { ...mixture, layouts: [1, 0, 0] } : mixture
  const narrow = narrowed(alone, random)
  return batchOf(
    directory,
    Array.from({ length: size }, () => makeSample(random, narrow)),
    enlarge
  )
}
