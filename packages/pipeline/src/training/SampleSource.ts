/** The samples of a training stage in their order, loaded ahead of the step that takes them. */
import { Random } from "@speedq/tensors"
import {
  collate,
  estimateRecordLength,
  type LoadedSample,
  loadSample,
  openTrainingData,
  referenceVideo,
  type SampleSettings,
  type TrainingBatch,
  tokensPerTile
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { DataUnusable } from "../Errors.ts"
import { type Events, emit } from "../Events.ts"
import type { SourceModel } from "../model/SourceModel.ts"
import { DataSubstituted } from "../runEvents.ts"
import { epochOrder, type SampleOrderOptions, stepsPerEpoch } from "./SampleOrder.ts"
import type { DataConfig, OptimizationConfig } from "./TrainingConfig.ts"

/** A collated micro-batch, and which sample of the mixture each row and tile is of. */
export interface MicroBatch extends TrainingBatch {
  readonly samples: readonly number[]
  /** Tiles of each sample, in order. */
  readonly tilesOf: readonly number[]
}

export interface SampleSource {
  readonly count: number
  readonly steps: number
  /** Micro-batches of a step, counted from 0; the next step's are loaded meanwhile. */
  readonly take: (step: number) => Effect.Effect<readonly MicroBatch[], DataUnusable, Events | Scope.Scope>
  /** File and line of a sample, for messages. */
  readonly describe: (sample: number) => Effect.Effect<string>
}

export interface SampleSourceOptions {
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
  readonly seed: number
}

/** Substitutions that "substitute" allows before it gives up; the reference's number. */
const substitutions = 10

const unusable = (error: { readonly message: string }) => new DataUnusable({ reason: error.message })

export const settingsOf = ({ directory }: SourceModel, data: DataConfig): SampleSettings => ({
  tokenizer: directory.tokenizer,
  tokensPerTile: tokensPerTile(directory.config),
  maxLength: data.maxLength,
  image: { ...directory.image, maxTiles: data.maxTiles },
  video: referenceVideo,
  quirks: {
    ...data.quirks,
    // The white tile of a text-only record reaches no token: leaving it out changes nothing but the time.
    textOnlyTile: false,
    substitutions:
      data.onError === "substitute" ? Math.max(substitutions, data.quirks.substitutions) : data.quirks.substitutions
  }
})

/** Opens the mixture for the life of the scope. Fails with DataUnusable, which names file and line. */
export const openSampleSource = Effect.fn("openSampleSource")(function* (
  model: SourceModel,
  { data: config, optimization, seed }: SampleSourceOptions
) {
  const settings = settingsOf(model, config)
  const data = yield* openTrainingData({ meta: config.meta, percent: config.percent, seed: 42 }).pipe(
    Effect.mapError(unusable)
  )
  if (data.count === 0) return yield* new DataUnusable({ reason: `${config.meta} selects no sample` })
  const lengths = optimization.groupByLength
    ? yield* Effect.forEach(Array.from({ length: data.count }).keys(), (index) =>
        Effect.flatMap(data.record(index), ({ record, origin }) => estimateRecordLength(record, origin, settings)).pipe(
          // A record that cannot be measured is met again, and dealt with, when it is loaded.
          Effect.catch(() => Effect.succeed(settings.maxLength))
        )
      )
    : undefined
  const order: SampleOrderOptions = {
    count: data.count,
    batch: optimization.batch,
    accumulation: optimization.accumulation,
    seed,
    ...(lengths ? { lengthOf: (sample: number) => lengths[sample]! } : {})
  }
  const perEpoch = stepsPerEpoch(order)
  const steps = Math.min(optimization.maxSteps ?? Number.POSITIVE_INFINITY, perEpoch * optimization.epochs)

  const describe = (sample: number): Effect.Effect<string> =>
    data.record(sample).pipe(
      Effect.map(({ origin }) => `${origin.file} line ${origin.line}`),
      Effect.catch((error) => Effect.succeed(error.message))
    )
  const load = Effect.fnUntraced(function* (sample: number, epoch: number) {
    const random = Random.make(seed, `sample ${sample} of epoch ${epoch}`)
    const loaded: LoadedSample = yield* loadSample(data, sample, settings, random).pipe(Effect.mapError(unusable))
    for (const error of loaded.substituted) {
      const source = yield* describe(sample)
      yield* emit(DataSubstituted, {
        source: config.meta,
        sample: source,
        detail: error.message,
        by: "a random sample"
      })
    }
    return loaded.sample
  })
  let orderedEpoch = -1
  let ordered: readonly (readonly number[][])[] = []
  const loadStep = Effect.fnUntraced(function* (step: number) {
    const epoch = Math.floor(step / perEpoch)
    if (epoch !== orderedEpoch) {
      ordered = epochOrder(order, epoch)
      orderedEpoch = epoch
    }
    return yield* Effect.forEach(ordered[step % perEpoch]!, (samples) =>
      Effect.map(
        Effect.forEach(samples, (sample) => load(sample, epoch), { concurrency: 4 }),
        (loaded): MicroBatch => ({
          ...collate(loaded, { statistics: settings.image.statistics, maskTokenZero: settings.quirks.maskTokenZero }),
          samples,
          tilesOf: loaded.map(({ tiles }) => tiles.count)
        })
      )
    )
  })
  const ahead = new Map<number, Fiber.Fiber<readonly MicroBatch[], DataUnusable>>()
  const start = Effect.fnUntraced(function* (step: number) {
    if (step < steps && !ahead.has(step)) ahead.set(step, yield* Effect.forkScoped(loadStep(step)))
  })
  const take = Effect.fnUntraced(function* (step: number) {
    yield* start(step)
    const fiber = ahead.get(step)!
    ahead.delete(step)
    const batches = yield* Fiber.join(fiber)
    yield* start(step + 1)
    return batches
  })
  return { count: data.count, steps, take, describe } satisfies SampleSource
})
