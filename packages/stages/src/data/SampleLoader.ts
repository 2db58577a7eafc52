/** Makes micro-batches out of records: what runs on a worker thread, and gives the same bits on any. */
import { createHash } from "node:crypto"
import {
  attachTrainingData,
  collate,
  DatasetInvalid,
  estimateRecordLength,
  type LoadedSample,
  loadSample,
  openModelDirectory,
  type PictureLimits,
  type PixelStatistics,
  type RandomSource,
  referenceLengthEstimator,
  referencePictures,
  referenceVideo,
  type SampleError,
  SampleRejected,
  type SampleSettings,
  type Tiles,
  type Tokenizer,
  type TrainingBatch,
  type TrainingData,
  type TrainingIndex,
  tokensPerTile,
  uniformBelow
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DataUnusable, dataUnusable } from "../Errors.ts"
import { lookAtRecord, type RecordLook, randomOf } from "./recordLook.ts"

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
  /** Samples whose records were dropped since the stage began: others of their data sets take their places. */
  readonly dropped: ReadonlySet<number>
  readonly pictures: PictureLimits
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
  /** Sample whose record each row was made of: its own, unless that could not be used. */
  readonly made: readonly number[]
  /** Labels of each row: 0 where it has no answer, or that was cut off. */
  readonly answerTokens: readonly number[]
  /** Tokens that were cut off each row. */
  readonly cut: readonly number[]
  /** Records that were passed over. */
  readonly substituted: readonly Substituted[]
}

/** A record that could not be used, and the sample that took its place. */
interface Substituted {
  readonly sample: number
  /** The line that could not be used; undefined where it is gone. */
  readonly at: string | undefined
  readonly reason: string
  readonly by: number
}

export interface SampleLoader {
  readonly batch: (samples: readonly number[], epoch: number) => Effect.Effect<MicroBatch, DataUnusable>
  /** Estimated tokens of the samples [from, to). */
  readonly lengths: (from: number, to: number) => Effect.Effect<Int32Array>
  /** What the first epoch will make of samples; `decode` decodes their pictures too. */
  readonly look: (samples: readonly number[], decode: boolean) => Effect.Effect<readonly RecordLook[], DataUnusable>
}

/** A loader on this thread, which gives single samples as well. */
interface LocalLoader extends SampleLoader {
  readonly tokenizer: Tokenizer
  /** A sample as the first epoch makes it, before it is collated. */
  readonly sample: (sample: number) => Effect.Effect<Loaded, DataUnusable>
}

/** Opens a mixture for the life of the scope. */
export const openSampleLoader = Effect.fn("openSampleLoader")(function* (
  plan: LoadingPlan
): Effect.fn.Return<LocalLoader, DataUnusable, Scope.Scope> {
  const { dropped } = plan
  const data = withoutDropped(yield* Effect.mapError(attachTrainingData(plan.index), dataUnusable), dropped)
  const { config, tokenizer, image } = yield* Effect.mapError(openModelDirectory(plan.model), dataUnusable)
  const settings: SampleSettings = {
    tokenizer,
    tokensPerTile: tokensPerTile(config),
    maxLength: plan.maxLength,
    image: { ...image, maxTiles: plan.maxTiles },
    video: plan.frames ? { ...referenceVideo, minFrames: plan.frames.min, maxFrames: plan.frames.max } : referenceVideo,
    quirks: plan.quirks,
    ...plan.pictures
  }
  const load = Effect.fnUntraced(function* (sample: number, epoch: number) {
    const random = randomOf(plan.seed, sample, epoch)
    const taken = dropped.has(sample) ? yield* replacement(data, sample, dropped, random) : sample
    const { substituted, ...loaded } = yield* Effect.mapError(
      loadSample(data, taken, settings, random),
      recordUnusable(plan.quirks)
    )
    const isGone = { sample, at: undefined, reason: noLonger, by: loaded.made }
    const passedOver = substituted.map(({ file, line, reason }): Substituted => {
      return { sample, at: line === undefined ? file : `${file}:${line}`, reason, by: loaded.made }
    })
    return { ...loaded, substituted: taken === sample ? passedOver : [isGone, ...passedOver] }
  })
  return {
    batch: (samples, epoch) =>
      Effect.forEach(samples, (sample) => load(sample, epoch), { concurrency: 4 }).pipe(
        Effect.map((loaded) => microBatch(samples, loaded, settings)),
        Effect.mapError(dataUnusable)
      ),
    lengths: lengthEstimator(data, settings, dropped),
    look: (samples, decode) =>
      Effect.forEach(samples, (sample) => lookAtRecord(data, sample, settings, { seed: plan.seed, decode }), {
        concurrency: 4
      }).pipe(Effect.mapError(dataUnusable)),
    tokenizer,
    sample: (sample) => Effect.mapError(load(sample, 0), dataUnusable)
  }
})

/** Why a stage ends at a record, and what helps there: who replaces records already needs other advice. */
const recordUnusable =
  ({ substitutions }: LoadingPlan["quirks"]) =>
  (error: SampleError): DataUnusable => {
    if (!(error instanceof SampleRejected || error instanceof DatasetInvalid)) return dataUnusable(error)
    if (substitutions > 0) {
      const reason = `${error.message}; ${substitutions} records before it, drawn one after the other, could not be used either`
      return new DataUnusable({ reason, fix: "take such records out of the data set; speedq data check names them" })
    }
    const isDamaged = error instanceof SampleRejected && error.fault === "unreadable file"
    const load = isDamaged ? ', load damaged pictures with images.truncated "load"' : ""
    const fix = `correct the record, take its line out${load}, or set onError to "substitute"`
    return new DataUnusable({ reason: error.message, fix })
  }

export type Loaded = Omit<LoadedSample, "substituted"> & { readonly substituted: readonly Substituted[] }

const noLonger = "the record is no longer in the file"

/** Records that are gone cannot take the place of others, either. */
const withoutDropped = (data: TrainingData, dropped: ReadonlySet<number>): TrainingData => ({
  ...data,
  record: (sample) =>
    dropped.has(sample)
      ? Effect.fail(new DatasetInvalid({ file: data.origin(sample).file, reason: noLonger }))
      : data.record(sample)
})

/** Draws a sample in the place of one whose record is gone, as loadSample does for one that cannot be used. */
const replacement = Effect.fnUntraced(function* (
  { parts }: TrainingData,
  sample: number,
  dropped: ReadonlySet<number>,
  random: RandomSource
) {
  const { dataset, first, selected } = parts.find((part) => sample < part.first + part.selected.length)!
  const isLeft = selected.some((_, at) => !dropped.has(first + at))
  if (!isLeft) {
    return yield* new DatasetInvalid({ file: dataset.annotation, reason: "every record of the data set was dropped" })
  }
  let taken = sample
  while (dropped.has(taken)) taken = first + uniformBelow(random, selected.length)
  return taken
})

/** Digest of each tile's pixels as a model sees them: their size, their bytes, and the statistics that they are normalized by. */
export const tileKeysOf = ({ count, size, data }: Tiles, statistics: PixelStatistics): readonly string[] => {
  const bytes = 3 * size ** 2
  const { mean, std } = statistics
  const seenBy = JSON.stringify([size, mean, std])
  return Array.from({ length: count }, (_, tile) =>
    createHash("sha256")
      .update(seenBy)
      .update(data.subarray(tile * bytes, (tile + 1) * bytes))
      .digest("base64")
  )
}

const microBatch = (
  samples: readonly number[],
  loaded: readonly Loaded[],
  { image, quirks }: SampleSettings
): MicroBatch => ({
  ...collate(
    loaded.map(({ sample }) => sample),
    { statistics: image.statistics, maskTokenZero: quirks.maskTokenZero }
  ),
  samples,
  tilesOf: loaded.map(({ sample }) => sample.tiles.count),
  tileKeys: loaded.flatMap(({ sample }) => tileKeysOf(sample.tiles, image.statistics)),
  made: loaded.map(({ made }) => made),
  answerTokens: loaded.map(({ sample }) => sample.answerTokens),
  cut: loaded.map(({ sample }) => sample.cutOff.length),
  substituted: loaded.flatMap(({ substituted }) => substituted)
})

const lengthEstimator = (
  data: TrainingData,
  settings: SampleSettings,
  dropped: ReadonlySet<number>
): SampleLoader["lengths"] => {
  const { image, quirks, tokenizer, maxLength } = settings
  // Whatever is refused: a limit that is raised while a stage goes on leaves its order as it is.
  const unlimited = { ...settings, ...referencePictures }
  const ofReference = referenceLengthEstimator({
    tokenizer,
    tokensPerTile: settings.tokensPerTile,
    maxTiles: image.maxTiles,
    thumbnail: image.thumbnail
  })
  const estimateFrom = (sample: number) =>
    Effect.flatMap(data.record(sample), ({ record, origin }) =>
      quirks.lengthByCharacters ? Effect.succeed(ofReference(record)) : estimateRecordLength(record, origin, unlimited)
    ).pipe(
      // A record that cannot be measured is met again, and dealt with, when it is loaded.
      Effect.catch(() => Effect.succeed(maxLength))
    )
  const estimate = (sample: number) => (dropped.has(sample) ? Effect.succeed(maxLength) : estimateFrom(sample))
  return (from, to) =>
    Effect.map(
      Effect.forEach(Array.from({ length: to - from }).keys(), (offset) => estimate(from + offset)),
      (lengths) => Int32Array.from(lengths)
    )
}
