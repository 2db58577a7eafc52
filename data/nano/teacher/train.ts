/**
 * Trains the nano teacher from scratch on fresh scenes:
 *   node --import tsx -C @speedq/source data/nano/teacher/train.ts --out data/nano/model
 * Saves its state every thousand steps and continues from it.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
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
import { adamW, openBackend, type Parameters, scope } from "@speedq/tensors"
import {
  type ModelDirectory,
  openModelDirectory,
  randomWeights,
  type TrainingBatch,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { freshBatch } from "./batches.ts"
import { mixtureOf, rateOf, totalSteps } from "./curriculum.ts"
import { hiddenStates } from "./forward.ts"
import { accuracies } from "./probe.ts"

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "data/nano/model" },
    data: { type: "string", default: "data/nano" },
    backend: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    batch: { type: "string", default: "16" }
  }
})

const seed = Number(flags.seed)
const batchSize = Number(flags.batch)

/** Copies config and tokenizer into the model's directory, in the hub's layout. */
const layOut = (): void => {
  mkdirSync(flags.out, { recursive: true })
  for (const folder of ["config", "tokenizer"]) {
    for (const file of readdirSync(join(flags.data, folder))) {
      copyFileSync(join(flags.data, folder, file), join(flags.out, file))
    }
  }
}

const backend = await openBackend(flags.backend)
layOut()
const directory: ModelDirectory = await Effect.runPromise(openModelDirectory(flags.out))
const { config } = directory

/** Mean cross entropy of the answers. */
const lossOf = (batch: TrainingBatch) => (parameters: Parameters) =>
  scope(() => {
    const weights = weightsFrom(parameters)
    return vocabularyLoss({
      losses: [crossEntropy()],
      labels: { values: batch.labels, batch: batch.size, length: batch.length },
      student: { hidden: hiddenStates(directory, weights, batch), weight: weights.get("language_model.lm_head.weight") }
    })
  })

const stateFile = join(flags.out, "training-state.safetensors")
const save = (learner: Learner): Promise<unknown> =>
  Effect.runPromise(
    Safetensors.write(
      stateFile,
      [
        ...tensorSources("parameter", learner.parameters),
        ...tensorSources("m", learner.optimizer.m),
        ...tensorSources("v", learner.optimizer.v)
      ],
      { metadata: { step: String(learner.optimizer.step) } }
    )
  )
const restore = (): Promise<Learner> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* Safetensors.open(stateFile)
        const parameters = yield* loadTensors(backend, file, "parameter")
        const m = yield* loadTensors(backend, file, "m")
        const v = yield* loadTensors(backend, file, "v")
        return { parameters, optimizer: { step: Number(file.metadata["step"]), m, v } }
      })
    )
  )

const optimizer = adamW({ beta1: 0.9, beta2: 0.98, weightDecay: 0.01 })
let learner = existsSync(stateFile)
  ? await restore()
  : scope(() => makeLearner(randomWeights(backend, config, { seed, spread: "fan-in", layerScale: 1 }), optimizer))
const began = performance.now()
const first = learner.optimizer.step
let smoothed = Number.NaN
console.log(`${backend.name}: steps ${first} to ${totalSteps}, batch ${batchSize}, seed ${seed}`)

for (let step = first; step < totalSteps; step++) {
  const batch = freshBatch(directory, mixtureOf(step), seed, step, batchSize)
  const result = gradientsOf(learner, [lossOf(batch)], 1)
  learner = update(learner, result, optimizer, rateOf(step))
  const loss = await result.loss.item()
  releaseGradients(result)
  if (!Number.isFinite(loss)) throw new Error(`loss is ${loss} at step ${step}`)
  smoothed = Number.isNaN(smoothed) ? loss : 0.99 * smoothed + 0.01 * loss
  if ((step + 1) % 200 === 0) {
    const seconds = (performance.now() - began) / 1000
    const rate = (step + 1 - first) / seconds
    console.log(
      `step ${step + 1}/${totalSteps}  loss ${smoothed.toFixed(4)}  ${rate.toFixed(1)} steps/s  ${Math.round((totalSteps - step - 1) / rate)} s left`
    )
  }
  if ((step + 1) % 1000 === 0 || step + 1 === totalSteps) {
    await save(learner)
    const learned = Object.entries(await accuracies(directory, weightsFrom(learner.parameters), 100))
    console.log(learned.map(([type, share]) => `${type} ${Math.round(100 * share)}`).join("  "))
  }
}

const weights = Object.entries(learner.parameters).map(([name, parameter]) => tensorSource(name, parameter))
await Effect.runPromise(
  Safetensors.write(join(flags.out, "model.safetensors"), weights, { metadata: { format: "pt" } })
)
await backend.close()
