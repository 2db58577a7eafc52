/** The steps of a training stage: samples in, gradients over micro-batches, one AdamW update; all state in the learner. */
import {
  type Events,
  emit,
  RunEvents,
  type SavedFileDamaged,
  type Stage,
  type StorageFailed,
  UnitComputers
} from "@speedq/pipeline"
import { adamW, type Optimizer, type Parameters, type Schedule, scope, warmupCosine } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { arrivesLater, arriving } from "../compute/arriving.ts"
import type { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import type { MicroBatchFacts } from "../data/microBatchFacts.ts"
import {
  counted,
  dataSections,
  emptyTally,
  isTelling,
  nothingToLearn,
  type SampleTally,
  substitutions,
  tallyWarnings
} from "../data/SampleTally.ts"
import { noneUsed, withUsed, writeUsed } from "../data/usedSamples.ts"
import { NonFiniteGradient, type NothingToLearn } from "../Errors.ts"
import { owningState } from "../model/stageMemory.ts"
import { beginElsewhere } from "./elsewhereStep.ts"
import {
  type Accumulated,
  addShard,
  type Learner,
  limitNorm,
  makeLearner,
  releaseGradients,
  releaseLearner,
  type StepGradients,
  update
} from "./Learner.ts"
import { isOfGrid } from "./learnedGrids.ts"
import { firstNonFinite } from "./nonFinite.ts"
import { type ShardedStep, shardsOf } from "./shards.ts"
import { type ShardFailure, shardWork } from "./shardWork.ts"
import { stepParameters } from "./stepParameters.ts"
import type { OptimizationOptions, Training } from "./Training.ts"
import type { OptimizationConfig } from "./TrainingConfig.ts"
import { type TrainingState, trainingCodec } from "./TrainingState.ts"

/** Learning rate of every step: warm-up, then half a cosine to 0. */
const scheduleOf = ({ learningRate, warmupRatio }: OptimizationConfig, steps: number): Schedule =>
  warmupCosine({ peak: learningRate, warmupSteps: Math.min(steps, Math.ceil(warmupRatio * steps)), totalSteps: steps })

const optimizerOf = (
  { decays, gridRate = 1, optimizerStates, ...options }: OptimizationOptions,
  initial: Parameters
): Optimizer =>
  adamW({
    ...options,
    states: optimizerStates,
    // A factor begins at 1, and decay would shrink the grid.
    decays: (name) => !isOfGrid(name) && (decays === "all" || initial[name]!.shape.length > 1),
    rateOf: (name) => (isOfGrid(name) ? gridRate : 1)
  })

type StepFailure = ShardFailure | NonFiniteGradient | NothingToLearn
type StepServices = Events | Scope.Scope

const nobody = Effect.succeed(undefined)

/**
 * A program over the learner: measurements first, then training. A step whose loss or gradients are not finite fails with
 * NonFiniteGradient and changes nothing, and no more does a step after it that began before this was known.
 */
export const trainingProgram = <Out, E, R>(training: Training<Out, E, R>) => {
  const { source, optimization, measurement, initial, data } = training
  const rateOf = scheduleOf(optimization, source.steps)
  const work = shardWork(training)
  const measuring = measurement?.batches ?? 0

  // Whether an update stopped half way, or one before it left numbers that none can go on with.
  let [updating, spoilt] = [false, false]
  const warned = new Set<string>()
  /** Each kind of warning once, with its numbers when it came. */
  const warn = Effect.fnUntraced(function* (tally: SampleTally) {
    for (const [kind, message] of Object.entries(tallyWarnings(tally, data, data.warnShare))) {
      if (warned.has(kind)) continue
      warned.add(kind)
      yield* emit(RunEvents.Warning, { message })
    }
  })

  const measure = Effect.fnUntraced(function* (state: TrainingState, index: number) {
    // Others may take the micro-batches of the steps.
    const isShared = (yield* UnitComputers) !== undefined
    const batch = yield* isShared ? source.takeBelow(measuring, index) : source.take(index)
    const value = yield* computing(() => measurement?.of(batch, index))
    const metrics: Stage.Metrics = value === undefined ? {} : { confidence: value }
    const measured = value === undefined ? state.measured : [...state.measured, value]
    const passedOver = state.passedOver + batch.substituted.length
    return { state: { ...state, measured, passedOver, used: withUsed(state.used, batch.made) }, metrics }
  })

  /** Uses what the gradients of a step are computed at. */
  const atStep = <A, E, R>({ parameters }: Learner, use: (parameters: Parameters) => Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      computing(() => stepParameters(parameters, optimization.shardParameters)),
      (step) => use(step.parameters),
      ({ release }) => Effect.sync(release)
    )

  /** The failure of a step that a number ruined: which one, and on which samples. Each micro-batch is looked at alone. */
  const blame = ({ learner, measured }: TrainingState, step: number, loss: number) =>
    atStep(
      learner,
      Effect.fnUntraced(function* (parameters) {
        for (const index of source.microBatchesOf(step)) {
          const batch = yield* source.take(index)
          const alone = yield* work.alone({ parameters, measured, microBatches: 1 }, batch, index)
          const tensor = yield* computing(() => firstNonFinite(parameters, alone))
          releaseGradients(alone)
          const samples = batch.samples.map(source.describe)
          spoilt ||= tensor !== undefined && tensor in parameters
          if (tensor !== undefined) return yield* new NonFiniteGradient({ tensor, loss, samples })
        }
        return yield* new NonFiniteGradient({ tensor: "the sum over all samples", loss, samples: [`step ${step + 1}`] })
      })
    )

  /** The failure of measurements that met no answer: what they would give is no measure of the teacher. */
  const unmeasured = Effect.fnUntraced(function* () {
    let tally = emptyTally
    for (let index = 0; index < measuring; index++) {
      tally = counted(tally, yield* source.take(index), source.describe)
    }
    return yield* nothingToLearn(tally, data, true) ?? Effect.void
  })

  /** Sums over all micro-batches of a step, shard after shard. */
  const sumOfShards = Effect.fnUntraced(function* (
    shared: ShardedStep,
    step: number,
    shards: readonly (readonly number[])[],
    seen: (batch: MicroBatchFacts) => Effect.Effect<void, never, Events>
  ) {
    const isShared = shards.length > 1 && (yield* UnitComputers) !== undefined
    const { shardBackends: backends } = optimization
    const elsewhere = isShared
      ? yield* beginElsewhere(training.directory, { ...shared, step, shards, backends })
      : undefined
    let sum: Accumulated | undefined
    const giveBack = Effect.sync(() => sum && releaseGradients(sum))
    yield* Effect.gen(function* () {
      for (const [shard, indices] of shards.entries()) {
        const found = yield* elsewhere?.sumsOf(shard) ?? nobody
        if (found !== undefined) yield* Effect.forEach(found.batches, seen, { discard: true })
        const until = isShared ? indices.at(-1)! + 1 : undefined
        const next = found?.sums ?? (yield* work.compute(shared, indices, seen, until))
        const before = sum
        sum = yield* computing(() => addShard(before, next))
      }
    }).pipe(
      Effect.onError(() => giveBack),
      Effect.ensuring(elsewhere?.end ?? Effect.void)
    )
    return sum!
  })

  const train = Effect.fnUntraced(function* (state: TrainingState, step: number) {
    const { learner } = state
    training.begins?.()
    if (step === 0 && measuring > 0 && state.measured.length === 0) yield* unmeasured()
    const indices = source.microBatchesOf(step)
    let { tally, used } = state
    const seen = Effect.fnUntraced(function* (batch: MicroBatchFacts) {
      tally = counted(tally, batch, source.describe)
      used = withUsed(used, batch.made)
      for (const event of substitutions(batch, data.meta, source.describe)) {
        yield* emit(RunEvents.DataSubstituted, event)
      }
    })
    const { measured } = state
    const { shardParameters: format, shards } = optimization
    const sum = yield* atStep(learner, (parameters) => {
      const shared = { format, parameters, measured, microBatches: indices.length }
      return sumOfShards(shared, step, shardsOf(indices, shards), seen)
    })
    const nothing = nothingToLearn(tally, data, step === source.steps - 1)
    if (nothing !== undefined) {
      releaseGradients(sum)
      return yield* nothing
    }
    if (isTelling(tally)) yield* warn(tally)
    const result = scope(() => limitNorm(sum, optimization.maxNorm, state.gate))
    const learningRate = rateOf(step)
    // Asked for before the update, so that a device brings them while it goes on.
    const numbers = arriving(readNumbers(result))
    const examined = Effect.gen(function* () {
      const { loss, gradientNorm, parts } = yield* numbers
      if (!Number.isFinite(gradientNorm) || !Number.isFinite(loss)) return yield* blame(state, step, loss)
      return { loss, ...parts, gradientNorm, learningRate } satisfies Stage.Metrics
    })
    const isLate = endsBeforeNumbers(optimization, result)
    const { factor, ...others } = result
    const metrics = isLate
      ? examined
      : yield* Effect.tapError(examined, () => Effect.sync(() => releaseGradients(result)))
    updating = true
    const next = yield* computing(() =>
      update(learner, result, optimizerOf(optimization, learner.parameters), learningRate)
    )
    updating = false
    releaseGradients(isLate ? others : result)
    state.gate?.release()
    return { state: { ...state, learner: next, gate: isLate ? factor : undefined, tally, used }, metrics }
  })

  const finish = Effect.fnUntraced(function* ({ learner, measured, tally, used }: TrainingState) {
    yield* warn(tally)
    const { report = [], files = [], ...outcome } = yield* training.finish(learner.parameters, measured)
    const file = yield* writeUsed(training.directory, used)
    const finished: Stage.Outcome<Out> = {
      ...outcome,
      report: [...report, ...dataSections(tally, data)],
      files: [...files, file]
    }
    return finished
  })

  const program: Stage.Program<
    TrainingState,
    Out,
    E | StepFailure | SavedFileDamaged | StorageFailed,
    R | Compute | StepServices | FileSystem.FileSystem | Path.Path
  > = {
    steps: measuring + source.steps,
    state: trainingCodec,
    initial: computing(() => {
      const learner = scope(() => {
        const parameters = initial()
        return makeLearner(parameters, optimizerOf(optimization, parameters))
      })
      return { learner, measured: [], tally: emptyTally, passedOver: 0, used: noneUsed(source.count) }
    }),
    step: (state, done) => (done < measuring ? measure(state, done) : train(state, done - measuring)),
    // All else that a step changes is new.
    isIntact: () => !updating && !spoilt,
    finish
  }
  return owningState(program, ({ learner, gate }) => {
    releaseLearner(learner)
    gate?.release()
  })
}

/**
 * Whether a step ends before its numbers are known: on a device, which would stand still until the host has seen them. Moments in 8 bits
 * are scaled anew by every step, also by one that is held back.
 */
const endsBeforeNumbers = ({ optimizerStates }: OptimizationOptions, { norm }: StepGradients): boolean =>
  arrivesLater(norm) && optimizerStates !== "int8"

/** All are asked for at once: a GPU brings them in one piece, and waits once. */
const readNumbers = async ({ loss, norm, parts }: StepGradients) => {
  const named = Promise.all(Object.entries(parts).map(async ([name, part]) => [name, await part.item()] as const))
  const [ofLoss, gradientNorm, ofParts] = await Promise.all([loss.item(), norm.item(), named])
  return { loss: ofLoss, gradientNorm, parts: Object.fromEntries(ofParts) }
}
