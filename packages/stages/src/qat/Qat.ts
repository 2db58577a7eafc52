/**
 * Stage 3 of SPEED-Q: projector and language model learn under fake quantization, from the labels and from the
 * full-precision teacher (arXiv:2511.08914 §3; internvl3.md 6.5, 6.9, 6.10).
 */
import { packedWeights, releaseParameters } from "@speedq/exports"
import { option, requiredOption, writtenAs } from "@speedq/formats"
import { memoryBudget, Stage } from "@speedq/pipeline"
import { type PackedWeights, RuleList } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { openSampleSource } from "../data/SampleSource.ts"
import { parametersBelow } from "../model/parametersBelow.ts"
import { EmbeddingConfig, type PlannedLayers, planEmbeddings, planTowers } from "../model/plannedLayers.ts"
import { quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { openSourceModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { planModel } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import { trainingForecast } from "../planning/trainingForecast.ts"
import type { QatOptions } from "../registry/stageOptions.ts"
import { decideRematerialization } from "../training/Rematerialization.ts"
import { DataConfig, dropPathOf, OptimizationConfig } from "../training/TrainingConfig.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"
import { clippedStart } from "./clippedStart.ts"
import { distillationProgram, fakeQuantized } from "./distillation.ts"
import { decideLosses, LossConfig, lossSection } from "./LossConfig.ts"

export const QatConfig = Schema.Struct({
  data: requiredOption(DataConfig, { description: "What is trained on." }),
  ...OptimizationConfig.fields,
  quantizers: requiredOption(RuleList, {
    description: "Rules that give the decoder's Linears their quantizers; the first that matches decides."
  }),
  embeddings: EmbeddingConfig,
  loss: option(LossConfig, {}, { description: "The losses: which, how strong, over which tokens." })
})

/** The projector, and the language model without embedding and head. */
const trainedBy =
  ({ choices }: PlannedLayers) =>
  (name: string): boolean =>
    name.startsWith("mlp1.") || (name.startsWith("language_model.") && !choices.has(name))

/** What earlier stages may have made: without a quantized tower the original one is used, without a projector likewise. */
interface QatInput {
  readonly quantizedVision?: PackedWeights
  readonly projector?: Parameters
  readonly clipping?: Parameters
}

export const Qat = Stage.define({
  name: "qat",
  version: 1,
  config: writtenAs<QatOptions>()(QatConfig),
  uses: [QuantizedVision, TrainedProjector, ClippingRanges],
  gives: [QuantizedLanguage, TrainedProjector],
  fingerprint: ({ data }, recipe) => fingerprintOf(recipe, { meta: data.meta }),
  forecast: Effect.fnUntraced(function* ({ data, embeddings, quantizers, loss, ...optimization }, recipe) {
    const model = yield* planModel(recipe)
    const planned = yield* planTowers(model.config, ["language"], quantizers, optimization.compat)
    const embedded = yield* planEmbeddings(model.config, embeddings, optimization.compat)
    return yield* trainingForecast({
      recipe,
      model,
      data,
      optimization,
      trains: trainedBy(embedded),
      fakeQuantized: true,
      teacher: loss.cakld > 0,
      lines: [...ruleLines(planned), ...ruleLines(embedded)]
    })
  }),
  begin: Effect.fnUntraced(function* (
    { data, embeddings, quantizers, loss, ...optimization }: typeof QatConfig.Type,
    { quantizedVision, projector, clipping }: QatInput,
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const model = yield* openSourceModel(recipe.model)
    const { config } = model.directory
    const { compat } = optimization
    const { choices } = yield* planTowers(config, ["language"], quantizers, compat)
    const embedded = yield* planEmbeddings(config, embeddings, compat)
    const seeds = { selection: recipe.seed, order: seed }
    const source = yield* openSampleSource({ model: recipe.model, data, optimization, seed: seeds })
    const frozen = yield* owned(
      Effect.sync(() => quantizedEmbeddings(model.weights, embedded.choices)),
      releaseParameters
    )
    const losses = decideLosses(loss, compat)
    const budget = Number(optimization.featureCache)
    const original = { backend, config, weights: weightsFrom(model.weights), budget }
    const teacherFeatures = makeVisionFeatures(original)
    const rate = dropPathOf(optimization)
    const tower = quantizedVision ? packedWeights(quantizedVision, model.weights) : original.weights
    const studentFeatures =
      quantizedVision === undefined && rate === 0
        ? teacherFeatures
        : makeVisionFeatures({ ...original, weights: tower, dropPath: { rate, seed } })
    const isTrained = trainedBy(embedded)
    const rematerialization = decideRematerialization({
      backend,
      config,
      optimization,
      fakeQuantized: true,
      budget: yield* memoryBudget(recipe),
      features: [teacherFeatures, studentFeatures]
    })

    return yield* distillationProgram({
      backend,
      model,
      meta: data.meta,
      source,
      optimization,
      losses,
      rematerialization,
      initial: () => clippedStart({ ...model.weights, ...projector }, isTrained, clipping),
      weightsOf: (parameters) => fakeQuantized(weightsFrom(parameters, frozen, model.weights), choices),
      teacherFeatures,
      studentFeatures,
      finish: (parameters, confidence) => {
        return Effect.succeed({
          output: {
            projector: parametersBelow("mlp1.", parameters),
            quantizedLanguage: {
              parameters: parametersBelow("language_model.", parameters),
              choices: new Map([...choices, ...embedded.choices])
            }
          },
          report: [lossSection(losses, confidence)]
        })
      }
    })
  })
})
