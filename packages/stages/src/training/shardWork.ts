/** Computes gradients of micro-batches, one after the other: those of a shard of a step, here or for another process. */
import { releaseParameters } from "@speedq/exports"
import { type Events, emit, RunEvents } from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { Compute } from "../compute/Compute.ts"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import { factsOf, type MicroBatchFacts } from "../data/microBatchFacts.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import type { SampleWorkerFailed } from "../data/SampleWorkers.ts"
import type { DataUnusable } from "../Errors.ts"
import { type Accumulated, accumulate, releaseGradients } from "./Learner.ts"
import { loadParameters, saveSums } from "./shardFiles.ts"
import type { ComputeShard, ShardedStep, ShardOrder } from "./shards.ts"
import type { Training } from "./Training.ts"

export type ShardFailure = DataUnusable | SampleWorkerFailed | ComputeFailed
type ShardServices = Events | Scope.Scope

type Work = Pick<
  Training<never, never, never>,
  "source" | "optimization" | "rematerialization" | "roomIsKnown" | "begins" | "prepare"
>

/** What the numbers of a shard come from. */
type Computed = Omit<ShardedStep, "format">

export const shardWork = (training: Work) => {
  const { source, optimization } = training
  let told = optimization.rematerialize !== "auto"
  const tellRematerialization = Effect.fnUntraced(function* ({ size, length }: MicroBatch) {
    if (told) return
    told = true
    const what = `what ${size} x ${length} tokens keep for the backward pass`
    const [why, fix] = training.roomIsKnown
      ? [
          `${what} does not fit into memory`,
          "free memory, raise memory.limit or memory.device, or use shorter sequences"
        ]
      : [`whether ${what} fits into the device's memory is not known`, "set memory.device, or rematerialize"]
    const message = `${why}: decoder layers are computed again, which takes a forward pass more; ${fix}`
    yield* emit(RunEvents.Warning, { message })
  })

  /** Gradients of one micro-batch, added to `sum`. */
  const add = Effect.fnUntraced(function* (
    { parameters, measured, microBatches }: Computed,
    batch: MicroBatch,
    index: number,
    sum: Accumulated | undefined
  ) {
    const rematerialize = training.rematerialization(batch, sum === undefined ? parameters : {})
    if (rematerialize) yield* tellRematerialization(batch)
    const prepared = yield* computing(() => training.prepare(batch, index, { measured, rematerialize }))
    return yield* computing(() => accumulate(parameters, prepared.lossOf, 1 / microBatches, sum)).pipe(
      Effect.ensuring(Effect.sync(prepared.release))
    )
  })

  /**
   * Sums over the micro-batches with these numbers. `seen` is told of each before it is computed; `until` is the first micro-batch that
   * need not be prepared ahead.
   */
  const compute = Effect.fnUntraced(function* <E, R>(
    step: Computed,
    indices: readonly number[],
    seen: (facts: MicroBatchFacts) => Effect.Effect<void, E, R>,
    until = Number.POSITIVE_INFINITY
  ) {
    // What was summed up so far, for a shard that fails on the way.
    let sum: Accumulated | undefined
    const giveBack = Effect.sync(() => sum && releaseGradients(sum))
    yield* Effect.gen(function* () {
      for (const index of indices) {
        const batch = yield* source.takeBelow(until, index)
        yield* seen(factsOf(batch))
        sum = yield* add(step, batch, index, sum)
      }
    }).pipe(Effect.onError(() => giveBack))
    return sum!
  })

  /** Gradients of one micro-batch alone. */
  const alone = (
    step: Computed,
    batch: MicroBatch,
    index: number
  ): Effect.Effect<Accumulated, ShardFailure, ShardServices> => add(step, batch, index, undefined)

  return { compute, alone }
}

/**
 * Computes shards of a stage for another process, which counts and tells what was seen: from parameters in a file to sums in a file.
 * Parameters stay until others are asked for, or the stage's scope ends.
 */
export const computesShards = Effect.fnUntraced(function* (training: Work) {
  const { compute } = shardWork(training)
  const { backend } = yield* Compute
  const services = yield* Effect.context<ShardServices | FileSystem.FileSystem | Path.Path>()
  let held: { readonly sha256: string; readonly parameters: Parameters } | undefined
  const giveBack = Effect.sync(() => {
    releaseParameters(held?.parameters ?? {})
    held = undefined
  })
  yield* Effect.addFinalizer(() => giveBack)
  const parametersIn = Effect.fnUntraced(function* ({ record: { sha256 }, path }: ShardOrder["parameters"]) {
    if (held?.sha256 === sha256) return held.parameters
    yield* giveBack
    const parameters = yield* loadParameters(backend, yield* path)
    held = { sha256, parameters }
    return parameters
  })
  const computeShard: ComputeShard = ({ parameters: file, sums: path, measured, microBatches, indices }) =>
    Effect.gen(function* () {
      const parameters = yield* parametersIn(file)
      training.begins?.()
      const batches: MicroBatchFacts[] = []
      const seen = (facts: MicroBatchFacts) => Effect.sync(() => void batches.push(facts))
      const step = { parameters, measured, microBatches }
      const sums = yield* compute(step, indices, seen, indices.at(-1)! + 1)
      return yield* saveSums(path, { sums, batches }).pipe(Effect.ensuring(Effect.sync(() => releaseGradients(sums))))
    }).pipe(Effect.provideContext(services))
  return computeShard
})
