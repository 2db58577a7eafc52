/**
 * Everything at once, to compare SPEED-Q's stages with: vision tower, projector and language model learn together under fake
 * quantization. Of the tower the Linears are trained, the weights that stage 1 would round.
 */
import { packNearest, releasePacked, releaseParameters } from "@speedq/exports"
import { option, requiredOption, writtenAs } from "@speedq/formats"
import { memoryBudget, Stage } from "@speedq/pipeline"
import { type PackedWeight, type PackedWeights, type QuantizerChoice, RuleList } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { ClippingRanges, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
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
import type { JointQatOptions } from "../registry/stageOptions.ts"
import { decideRematerialization } from "../training/Rematerialization.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"
import { clippedStart } from "./clippedStart.ts"
import { distillationProgram, fakeQuantized } from "./distillation.ts"
import { decideLosses, LossConfig, lossSection } from "./LossConfig.ts"

export const JointQatConfig = Schema.Struct({
  data: requiredOption(DataConfig, { description: "What is trained on." }),
  ...OptimizationConfig.fields,
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the vision tower's and the decoder's Linears their quantizers; the first that matches decides."
  }),
  embeddings: EmbeddingConfig,
  loss: option(LossConfig, {}, { description: "The losses: which, how strong, over which tokens." })
})

const isVision = (name: string): boolean => name.startsWith("vision_model.")

const trainedBy =
  (planned: PlannedLayers, embedded: PlannedLayers) =>
  (name: string): boolean => {
    if (isVision(name)) return planned.choices.has(name)
    return name.startsWith("mlp1.") || !embedded.choices.has(name)
  }

/** The trained tower in packed form. */
const packTower = async (
  parameters: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>
): Promise<PackedWeights> => {
  const packed = new Map<string, PackedWeight>()
  try {
    for (const [name, parameter] of Object.entries(parameters)) {
      if (isVision(name)) packed.set(name, await packNearest(choices.get(name)!, parameter))
    }
    return packed
  } catch (error) {
    releasePacked(packed)
    throw error
  }
}

export const JointQat = Stage.define({
  name: "joint-qat",
  version: 1,
  config: writtenAs<JointQatOptions>()(JointQatConfig),
  uses: [ClippingRanges],
  gives: [QuantizedVision, TrainedProjector, QuantizedLanguage],
  fingerprint: ({ data }, recipe) => fingerprintOf(recipe, { meta: data.meta }),
  forecast: Effect.fnUntraced(function* ({ data, embeddings, quantizers, loss, ...optimization }, recipe) {
    const model = yield* planModel(recipe)
    const planned = yield* planTowers(model.config, ["vision", "language"], quantizers, optimization.compat)
    const embedded = yield* planEmbeddings(model.config, embeddings, optimization.compat)
    return yield* trainingForecast({
      recipe,
      model,
      data,
      optimization,
      trains: trainedBy(planned, embedded),
      fakeQuantized: true,
      teacher: loss.cakld > 0,
      lines: [...ruleLines(planned), ...ruleLines(embedded)]
    })
  }),
  begin: Effect.fnUntraced(function* (
    { data, embeddings, quantizers, loss, ...optimization }: typeof JointQatConfig.Type,
    { clipping }: { readonly clipping?: Parameters },
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const model = yield* openSourceModel(recipe.model)
    const { config } = model.directory
    const planned = yield* planTowers(config, ["vision", "language"], quantizers, optimization.compat)
    const embedded = yield* planEmbeddings(config, embeddings, optimization.compat)
    const seeds = { selection: recipe.seed, order: seed }
    const source = yield* openSampleSource({ model: recipe.model, data, optimization, seed: seeds })
    const frozen = yield* owned(
      Effect.sync(() => quantizedEmbeddings(model.weights, embedded.choices)),
      releaseParameters
    )
    const losses = decideLosses(loss, optimization.compat)
    const original = weightsFrom(model.weights)
    const budget = Number(optimization.featureCache)
    const stageScope = yield* Effect.scope
    const teacherFeatures = makeVisionFeatures({ backend, config, weights: original, budget })
    const rematerialization = decideRematerialization({
      backend,
      config,
      optimization,
      fakeQuantized: true,
      trainsTower: true,
      budget: yield* memoryBudget(recipe),
      features: [teacherFeatures]
    })
    return yield* distillationProgram({
      backend,
      model,
      meta: data.meta,
      source,
      optimization,
      losses,
      rematerialization,
      initial: () => clippedStart(model.weights, trainedBy(planned, embedded), clipping),
      weightsOf: (parameters) => fakeQuantized(weightsFrom(parameters, frozen, model.weights), planned.choices),
      teacherFeatures,
      studentFeatures: undefined,
      finish: Effect.fnUntraced(function* (parameters: Parameters, confidence: number) {
        const tower = owned(
          computing(() => packTower(parameters, planned.choices)),
          releasePacked
        )
        const language = [...planned.choices].filter(([name]) => !isVision(name))
        return {
          output: {
            quantizedVision: yield* Effect.provideService(tower, Scope.Scope, stageScope),
            projector: parametersBelow("mlp1.", parameters),
            quantizedLanguage: {
              parameters: parametersBelow("language_model.", parameters),
              choices: new Map([...language, ...embedded.choices])
            }
          },
          report: [lossSection(losses, confidence)]
        }
      })
    })
  })
})
