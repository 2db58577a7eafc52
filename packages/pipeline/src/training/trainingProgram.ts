/** The steps of a training stage: samples in, gradients over micro-batches, one AdamW update; all state in the learner. */
import { adamW, type Parameters, scope, type Tensor, warmupCosine } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Codec from "../Codec.ts"
import { Compute } from "../compute/Compute.ts"
import { type DataUnusable, NonFiniteGradient, type SavedFileDamaged } from "../Errors.ts"
import type { Events } from "../Events.ts"
import type { Outcome, Program } from "../Stage.ts"
import { loadTensors, tensorSources } from "../tensorCodec.ts"
import { gradientsOf, type Learner, type MicroBatchLoss, makeLearner, type StepGradients, update } from "./Learner.ts"
import type { MicroBatch, SampleSource } from "./SampleSource.ts"
import type { OptimizationConfig } from "./TrainingConfig.ts"

/** A micro-batch with what does not depend on the trained parameters computed; `release` gives it back. */
export interface PreparedBatch {
  readonly lossOf: MicroBatchLoss
  readonly release: () => void
}

export interface Training<Out, E, R> {
  readonly source: SampleSource
  readonly optimization: OptimizationConfig
  /** New tensors that training starts from. */
  readonly initial: () => Parameters
  readonly prepare: (batch: MicroBatch) => Promise<PreparedBatch>
  readonly finish: (parameters: Parameters) => Effect.Effect<Outcome<Out>, E, R>
}

const learnerCodec = Codec.make({
  data: Schema.Struct({ step: Schema.Int }),
  save: ({ parameters, optimizer }: Learner) => ({
    data: { step: optimizer.step },
    tensors: [
      ...tensorSources("parameter", parameters),
      ...tensorSources("m", optimizer.m),
      ...tensorSources("v", optimizer.v)
    ]
  }),
  load: ({ step }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const parameters = yield* loadTensors(backend, file, "parameter")
      const m = yield* loadTensors(backend, file, "m")
      const v = yield* loadTensors(backend, file, "v")
      return { parameters, optimizer: { step, m, v } } satisfies Learner
    })
})

/** Name of the first gradient with a number that is none. */
const firstNonFinite = async (gradients: StepGradients["gradients"]): Promise<string> => {
  for (const [name, gradient] of Object.entries(gradients)) {
    if (!(await gradient.read()).every(Number.isFinite)) return name
  }
  return "all parameters together (their norm overflows)"
}

/** Learning rate of every step: warm-up, then half a cosine to 0. */
const scheduleOf = ({ learningRate, warmupRatio }: OptimizationConfig, steps: number) =>
  warmupCosine({ peak: learningRate, warmupSteps: Math.min(steps, Math.ceil(warmupRatio * steps)), totalSteps: steps })

/** A program over the learner. A step whose gradients are not finite fails with NonFiniteGradient and changes nothing. */
export const trainingProgram = <Out, E, R>({
  source,
  optimization,
  initial,
  prepare,
  finish
}: Training<Out, E, R>): Program<
  Learner,
  Out,
  E | DataUnusable | NonFiniteGradient | SavedFileDamaged,
  R | Compute | Events | Scope.Scope
> => {
  const optimizer = adamW(optimization)
  const rateOf = scheduleOf(optimization, source.steps)

  const step = Effect.fnUntraced(function* (learner: Learner, done: number) {
    const batches = yield* source.take(done)
    const prepared = yield* Effect.promise(() => Promise.all(batches.map(prepare)))
    const result = gradientsOf(
      learner,
      prepared.map(({ lossOf }) => lossOf),
      optimization.maxNorm
    )
    for (const { release } of prepared) release()
    const read = (tensor: Tensor) => Effect.promise(() => tensor.item())
    const loss = yield* read(result.loss)
    const norm = yield* read(result.norm)
    if (!Number.isFinite(norm) || !Number.isFinite(loss)) {
      const tensor = yield* Effect.promise(() => firstNonFinite(result.gradients))
      const samples = yield* Effect.forEach(
        batches.flatMap((batch) => batch.samples),
        source.describe
      )
      return yield* new NonFiniteGradient({ tensor, loss, samples })
    }
    const learningRate = rateOf(done)
    const state = update(learner, result, optimizer, learningRate)
    const parts: { [name: string]: number } = {}
    for (const [name, part] of Object.entries(result.parts)) parts[name] = yield* read(part)
    for (const tensor of [
      result.loss,
      result.norm,
      result.factor,
      ...Object.values(result.parts),
      ...Object.values(result.gradients)
    ]) {
      tensor.release()
    }
    return { state, metrics: { loss, ...parts, gradientNorm: norm, learningRate } }
  })

  return {
    steps: source.steps,
    state: learnerCodec,
    initial: Effect.sync(() => scope(() => makeLearner(initial(), optimizer))),
    step,
    finish: ({ parameters }) => finish(parameters)
  }
}
