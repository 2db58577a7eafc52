/** The samples of a training stage in their order, prepared ahead of the step that takes them. */
import { dirname } from "node:path"
import type { Compat } from "@speedq/pipeline"
import {
  attachTrainingData,
  carefulData,
  openTrainingData,
  referenceData,
  type SampleSettings,
  type TrainingData
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { DataUnusable, dataUnusable } from "../Errors.ts"
import { type DataConfig, dropsLastStep, type OptimizationConfig } from "../training/TrainingConfig.ts"
import { type FollowedPart, followedIndex } from "./followData.ts"
import { type KeptLengths, keepingLengths } from "./keptLengths.ts"
import { pictureLimits } from "./pictureLimits.ts"
import type { MicroBatch } from "./SampleLoader.ts"
import { epochOrder, microBatchesPerEpoch, type SampleOrderOptions, stepsPerEpoch } from "./SampleOrder.ts"
import { type RemoteLoader, type SampleWorkerFailed, SampleWorkers } from "./SampleWorkers.ts"

export interface SampleSource {
  /** Samples of the mixture. */
  readonly count: number
  readonly steps: number
  /** Numbers of a step's micro-batches, counted from 0 through all epochs. */
  readonly microBatchesOf: (step: number) => readonly number[]
  /** A micro-batch; the ones after it are prepared meanwhile. */
  readonly take: (index: number) => Effect.Effect<MicroBatch, DataUnusable | SampleWorkerFailed, Scope.Scope>
  /** The same where those from `until` on are taken elsewhere: nothing of them is prepared. */
  readonly takeBelow: (
    until: number,
    index: number
  ) => Effect.Effect<MicroBatch, DataUnusable | SampleWorkerFailed, Scope.Scope>
  /** File and line of a sample, for messages. */
  readonly describe: (sample: number) => string
}

export interface SampleSourceOptions {
  /** Directory of the model that is to see the samples. */
  readonly model: string
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
  /** Seed of the recipe, which decides what `percent` takes, and of the stage, which decides the order. */
  readonly seed: { readonly selection: number; readonly order: number }
  /** What the stage began with, where that is known: the source keeps to it. */
  readonly began?: readonly FollowedPart[]
  /** Where lengths of samples are kept, if they are to be. */
  readonly keptLengths?: KeptLengths | undefined
}

/** Substitutions that "substitute" allows before it gives up; the reference's number. */
const substitutions = 10

/** Switches of the data pipeline, and how often in a row a record may be replaced. */
const quirksOf = ({ quirks, onError }: DataConfig, compat: typeof Compat.Type): SampleSettings["quirks"] => {
  const wanted = quirks ?? (compat === "reference" ? referenceData : carefulData)
  return {
    ...wanted,
    // The white tile of a text-only record reaches no token: leaving it out changes nothing but the time.
    textOnlyTile: false,
    substitutions: onError === "substitute" ? Math.max(substitutions, wanted.substitutions) : wanted.substitutions
  }
}

/** How samples are made of records, by the options of a stage. */
export const makingOf = (config: DataConfig, compat: typeof Compat.Type) => {
  const { maxLength, maxTiles, frames, images } = config
  const pictures = pictureLimits(images, compat)
  return { maxLength, maxTiles, quirks: quirksOf(config, compat), pictures, ...(frames && { frames }) }
}

/** Most samples whose lengths are estimated by one request. */
const measuredTogether = 4096

/** Estimated tokens of every sample. The reference's estimate looks at what came before: it is made in one go. */
const measureLengths = Effect.fnUntraced(function* (loader: RemoteLoader, count: number, inOneGo: boolean) {
  const share = inOneGo ? count : Math.min(measuredTogether, Math.ceil(count / loader.threads))
  const starts = Array.from({ length: Math.ceil(count / share) }, (_, part) => part * share)
  const parts = yield* Effect.forEach(starts, (from) => loader.lengths(from, Math.min(count, from + share)), {
    concurrency: 2 * loader.threads
  })
  return parts.flatMap((part) => [...part])
})

/** Opens the mixture for the life of the scope. Fails with DataUnusable, which names file and line, and SampleWorkerFailed. */
export const openSampleSource = Effect.fn("openSampleSource")(function* ({
  model,
  data: config,
  optimization,
  seed,
  began,
  keptLengths
}: SampleSourceOptions) {
  const workers = yield* SampleWorkers
  const { meta, percent } = config
  const { index, dropped } = began === undefined ? { index: undefined, dropped: new Map() } : followedIndex(began)
  const opening =
    index === undefined
      ? openTrainingData({ meta, base: dirname(meta), percent, seed: seed.selection })
      : attachTrainingData(index)
  const data: TrainingData = yield* Effect.mapError(opening, dataUnusable)
  const { count } = data
  if (count === 0)
    return yield* new DataUnusable({ reason: `${meta} selects no sample`, fix: "raise percent, or give more data" })
  const making = makingOf(config, optimization.compat)
  const gone = new Set(dropped.keys())
  const threads = Math.min(config.workers ?? workers.count, microBatchesPerEpoch({ count, batch: optimization.batch }))
  const plan = { model, index: data.index, ...making, seed: seed.order, dropped: gone }
  const loader = yield* workers.open(plan, threads)
  const measure = measureLengths(loader, count, making.quirks.lengthByCharacters)
  const measured = keptLengths === undefined ? measure : keepingLengths(keptLengths, count, measure)
  const lengths = optimization.groupByLength ? yield* measured : undefined
  const order: SampleOrderOptions = {
    count,
    batch: optimization.batch,
    accumulation: optimization.accumulation,
    seed: seed.order,
    dropsLast: dropsLastStep(optimization),
    ...(lengths ? { lengthOf: (sample: number) => lengths[sample]! } : {})
  }
  const [perEpoch, microBatches] = [stepsPerEpoch(order), microBatchesPerEpoch(order)]
  const steps = Math.min(optimization.maxSteps ?? Number.POSITIVE_INFINITY, perEpoch * optimization.epochs)

  const microBatchesOf = (step: number): readonly number[] => {
    const first = Math.floor(step / perEpoch) * microBatches + (step % perEpoch) * order.accumulation
    const length = Math.min(order.accumulation, microBatches - (step % perEpoch) * order.accumulation)
    return Array.from({ length }, (_, i) => first + i)
  }
  const end = microBatchesOf(steps - 1).at(-1)! + 1

  let ordered: { readonly epoch: number; readonly batches: readonly (readonly number[])[] } | undefined
  const load = Effect.fnUntraced(function* (index: number) {
    const epoch = Math.floor(index / microBatches)
    if (ordered?.epoch !== epoch) ordered = { epoch, batches: epochOrder(order, epoch).flat() }
    return yield* loader.batch(ordered.batches[index % microBatches]!, epoch)
  })
  const ahead = new Map<number, Fiber.Fiber<MicroBatch, DataUnusable | SampleWorkerFailed>>()
  const start = Effect.fnUntraced(function* (index: number) {
    if (index < end && !ahead.has(index)) ahead.set(index, yield* Effect.forkScoped(load(index)))
  })
  const takeBelow = Effect.fnUntraced(function* (until: number, index: number) {
    const last = Math.min(index + 2 * loader.threads, until - 1)
    for (let next = index; next <= last; next++) yield* start(next)
    const fiber = ahead.get(index)!
    ahead.delete(index)
    return yield* Fiber.join(fiber)
  })
  const take = (index: number) => takeBelow(end, index)
  const describe = (sample: number): string => {
    const { file, line } = data.origin(sample)
    const before = dropped.get(sample)
    return before === undefined ? `${file}:${line}` : `${file}:${before + 1} (as it was)`
  }
  return { count, steps, microBatchesOf, take, takeBelow, describe } satisfies SampleSource
})
