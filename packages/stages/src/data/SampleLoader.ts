/** Makes micro-batches out of records: what runs on a worker thread, and gives the same bits on any. */
import { createHash } from "node:crypto"
import { Random } from "@speedq/tensors"
import {
  attachTrainingData,
  collate,
  estimateRecordLength,
  type LoadedSample,
  loadSample,
  openModelDirectory,
  referenceLengthEstimator,
  referenceVideo,
  type SampleSettings,
  type Tiles,
  type TrainingBatch,
  type TrainingData,
  type TrainingIndex,
  tokensPerTile
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DataUnusable } from "../Errors.ts"

/** A mixture and how its samples are made: plain values and shared memory, as they pass to a thread. */
export interface LoadingPlan {
  /** Directory of the model: its tokenizer and how it wants images. */
  readonly model: string
  readonly index: TrainingIndex
  readonly maxLength: number
  readonly maxTiles: number
  /** Fewest and most frames of a video; the reference's where absent. */
  readonly frames?: { readonly min: number; readonly max: number }
  readonly quirks: SampleSettings["quirks"]
  /** Seed of what is drawn while a sample is made: frames of videos, augmentation, replacements. */
  readonly seed: number
}

/** A collated micro-batch, and which sample of the mixture each row and tile is of. */
export interface MicroBatch extends TrainingBatch {
  readonly samples: readonly number[]
  /** Tiles of each sample, in order. */
  readonly tilesOf: readonly number[]
  /** Digest of each tile's pixels: equal tiles have equal features. */
  readonly tileKeys: readonly string[]
  /** Why records were passed over, with their sample; empty unless `quirks.substitutions` allows it. */
  readonly substituted: readonly { readonly sample: number; readonly reason: string }[]
}

export interface SampleLoader {
  readonly batch: (samples: readonly number[], epoch: number) => Effect.Effect<MicroBatch, DataUnusable>
  /** Estimated tokens of the samples [from, to). */
  readonly lengths: (from: number, to: number) => Effect.Effect<Int32Array>
}

const unusable = (error: { readonly message: string }) => new DataUnusable({ reason: error.message })

/** Opens a mixture for the life of the scope. */
export const openSampleLoader = Effect.fn("openSampleLoader")(function* (
  plan: LoadingPlan
): Effect.fn.Return<SampleLoader, DataUnusable, Scope.Scope> {
  const data = yield* Effect.mapError(attachTrainingData(plan.index), unusable)
  const { config, tokenizer, image } = yield* Effect.mapError(openModelDirectory(plan.model), unusable)
  const settings: SampleSettings = {
    tokenizer,
    tokensPerTile: tokensPerTile(config),
    maxLength: plan.maxLength,
    image: { ...image, maxTiles: plan.maxTiles },
    video: plan.frames ? { ...referenceVideo, minFrames: plan.frames.min, maxFrames: plan.frames.max } : referenceVideo,
    quirks: plan.quirks
  }
  const load = (sample: number, epoch: number) =>
    loadSample(data, sample, settings, Random.make(plan.seed, `sample ${sample} of epoch ${epoch}`))
  return {
    batch: (samples, epoch) =>
      Effect.forEach(samples, (sample) => load(sample, epoch), { concurrency: 4 }).pipe(
        Effect.map((loaded) => microBatch(samples, loaded, settings)),
        Effect.mapError(unusable)
      ),
    lengths: lengthEstimator(data, settings)
  }
})

/** Digest of each tile's pixels. */
export const tileKeysOf = ({ count, size, data }: Tiles): readonly string[] => {
  const bytes = 3 * size ** 2
  return Array.from({ length: count }, (_, tile) =>
    createHash("sha256")
      .update(data.subarray(tile * bytes, (tile + 1) * bytes))
      .digest("base64")
  )
}

const microBatch = (
  samples: readonly number[],
  loaded: readonly LoadedSample[],
  { image, quirks }: SampleSettings
): MicroBatch => ({
  ...collate(
    loaded.map(({ sample }) => sample),
    { statistics: image.statistics, maskTokenZero: quirks.maskTokenZero }
  ),
  samples,
  tilesOf: loaded.map(({ sample }) => sample.tiles.count),
  tileKeys: loaded.flatMap(({ sample }) => tileKeysOf(sample.tiles)),
  substituted: loaded.flatMap(({ substituted }, row) =>
    substituted.map(({ message }) => ({ sample: samples[row]!, reason: message }))
  )
})

const lengthEstimator = (data: TrainingData, settings: SampleSettings): SampleLoader["lengths"] => {
  const { image, quirks, tokenizer, maxLength } = settings
  const ofReference = referenceLengthEstimator({
    tokenizer,
    tokensPerTile: settings.tokensPerTile,
    maxTiles: image.maxTiles,
    thumbnail: image.thumbnail
  })
  const estimate = (sample: number) =>
    Effect.flatMap(data.record(sample), ({ record, origin }) =>
      quirks.lengthByCharacters ? Effect.succeed(ofReference(record)) : estimateRecordLength(record, origin, settings)
    ).pipe(
      // A record that cannot be measured is met again, and dealt with, when it is loaded.
      Effect.catch(() => Effect.succeed(maxLength))
    )
  return (from, to) =>
    Effect.map(
      Effect.forEach(Array.from({ length: to - from }).keys(), (offset) => estimate(from + offset)),
      (lengths) => Int32Array.from(lengths)
    )
}
