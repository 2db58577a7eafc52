/**
 * Trains a teacher from scratch on fresh scenes. Saves its state from time to time and continues from it, and prints what it has
 * learned.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { Safetensors } from "@speedq/formats"
import {
  gradientsOf,
  type Learner,
  loadTensors,
  makeLearner,
  releaseGradients,
  tensorSource,
  tensorSources,
  update
} from "@speedq/stages"
import {
  adamW,
  type Backend,
  type BackendName,
  cast,
  noGrad,
  openBackend,
  type Parameters,
  scope
} from "@speedq/tensors"
import {
  type ModelDirectory,
  openModelDirectory,
  randomWeights,
  type TrainingBatch,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { hiddenStates } from "./forward.ts"

export interface Teaching {
  /** Where config and tokenizer are, and the state and the weights go. */
  readonly out: string
  readonly backend: BackendName
  readonly seed: number
  readonly totalSteps: number
  readonly rateOf: (step: number) => number
  readonly batchOf: (directory: ModelDirectory, step: number) => TrainingBatch
  /** Share of right answers by type of question. */
  readonly probe: (directory: ModelDirectory, weights: Weights) => Promise<Readonly<Record<string, number>>>
  /** How the weights are stored when all is learned. */
  readonly stored: "f32" | "bf16"
  /** Steps between two lines of the log, and between two saved states, each with a probe. */
  readonly every: { readonly report: number; readonly save: number }
}

const optimizer = adamW({ beta1: 0.9, beta2: 0.98, weightDecay: 0.01 })

/** Mean cross entropy of the answers. */
const lossOf = (directory: ModelDirectory, batch: TrainingBatch) => (parameters: Parameters) =>
  scope(() => {
    const weights = weightsFrom(parameters)
    return vocabularyLoss({
      losses: [crossEntropy()],
      labels: { values: batch.labels, batch: batch.size, length: batch.length },
      student: { hidden: hiddenStates(directory, weights, batch), weight: weights.get("language_model.lm_head.weight") }
    })
  })

/** Parameters by name, as a saved state has them: the norm of their gradients is a sum, whose last bits depend on its order. */
const inOrder = (parameters: Parameters): Parameters =>
  Object.fromEntries(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)))

const save = (file: string, learner: Learner): Promise<unknown> =>
  Effect.runPromise(
    Safetensors.write(
      file,
      [
        ...tensorSources("parameter", learner.parameters),
        ...tensorSources("m", learner.optimizer.m),
        ...tensorSources("v", learner.optimizer.v)
      ],
      { metadata: { step: String(learner.optimizer.step) } }
    )
  )

const restore = (file: string, backend: Backend): Promise<Learner> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const state = yield* Safetensors.open(file)
        const parameters = yield* loadTensors(backend, state, "parameter", "state")
        const m = yield* loadTensors(backend, state, "m", "state")
        const v = yield* loadTensors(backend, state, "v", "state")
        return { parameters, optimizer: { step: Number(state.metadata["step"]), m, v } }
      })
    )
  )

const writeModel = (file: string, parameters: Parameters, stored: Teaching["stored"]): Promise<unknown> => {
  const rounded = Object.entries(parameters).map(
    ([name, parameter]) => [name, stored === "f32" ? parameter : noGrad(() => cast(parameter, stored))] as const
  )
  const sources = rounded.map(([name, tensor]) => tensorSource(name, tensor))
  return Effect.runPromise(Safetensors.write(file, sources, { metadata: { format: "pt" } }))
}

const printed = (learned: Readonly<Record<string, number>>): string =>
  Object.entries(learned)
    .map(([type, share]) => `${type} ${Math.round(100 * share)}`)
    .join("  ")

export const trainTeacher = async (teaching: Teaching): Promise<void> => {
  const { out, seed, totalSteps, every } = teaching
  const backend = await openBackend(teaching.backend)
  const directory = await Effect.runPromise(openModelDirectory(out))
  const stateFile = join(out, "training-state.safetensors")
  const beginning = { seed, spread: "fan-in", layerScale: 1 } as const
  let learner = existsSync(stateFile)
    ? await restore(stateFile, backend)
    : scope(() => makeLearner(inOrder(randomWeights(backend, directory.config, beginning)), optimizer))
  const began = performance.now()
  const first = learner.optimizer.step
  let smoothed = Number.NaN
  console.log(`${backend.name}: steps ${first} to ${totalSteps}, seed ${seed}`)
  for (let step = first; step < totalSteps; step++) {
    const batch = teaching.batchOf(directory, step)
    const result = gradientsOf(learner, [lossOf(directory, batch)], 1)
    learner = update(learner, result, optimizer, teaching.rateOf(step))
    const loss = await result.loss.item()
    releaseGradients(result)
    if (!Number.isFinite(loss)) throw new Error(`loss is ${loss} at step ${step}`)
    smoothed = Number.isNaN(smoothed) ? loss : 0.99 * smoothed + 0.01 * loss
    const done = step + 1
    if (done % every.report === 0) {
      const rate = (done - first) / ((performance.now() - began) / 1000)
      const left = Math.round((totalSteps - done) / rate)
      console.log(`step ${done}/${totalSteps}  loss ${smoothed.toFixed(4)}  ${rate.toFixed(2)} steps/s  ${left} s left`)
    }
    if (done % every.save === 0 || done === totalSteps) {
      await save(stateFile, learner)
      console.log(printed(await teaching.probe(directory, weightsFrom(learner.parameters))))
    }
  }
  await writeModel(join(out, "model.safetensors"), learner.parameters, teaching.stored)
  await backend.close()
}
