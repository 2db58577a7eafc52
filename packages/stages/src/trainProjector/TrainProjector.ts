/** Stage 2 of SPEED-Q: the projector alone learns to fit the quantized, frozen vision tower (arXiv:2511.08914 §3). */
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { packedWeights, releaseParameters } from "@speedq/exports"
import { requiredOption, writtenAs } from "@speedq/formats"
import { memoryBudget, Stage } from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import { type Parameters, scope } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { openSampleSource } from "../data/SampleSource.ts"
import { copyParameters } from "../model/copyParameters.ts"
import { EmbeddingConfig, headName, planEmbeddings } from "../model/plannedLayers.ts"
import { quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { openSourceModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { planModel } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import { trainingForecast } from "../planning/trainingForecast.ts"
import type { TrainProjectorOptions } from "../registry/stageOptions.ts"
import { hiddenStates } from "../training/hiddenStates.ts"
import { decideRematerialization } from "../training/Rematerialization.ts"
import { DataConfig, dropPathOf, OptimizationConfig } from "../training/TrainingConfig.ts"
import { trainingProgram } from "../training/trainingProgram.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"

export const TrainProjectorConfig = Schema.Struct({
  data: requiredOption(DataConfig, { description: "What is trained on." }),
  ...OptimizationConfig.fields,
  embeddings: EmbeddingConfig
})

const isProjector = (name: string): boolean => name.startsWith("mlp1.")

export const TrainProjector = Stage.define({
  name: "train-projector",
  version: 1,
  config: writtenAs<TrainProjectorOptions>()(TrainProjectorConfig),
  needs: [QuantizedVision],
  gives: [TrainedProjector],
  fingerprint: ({ data }, recipe) => fingerprintOf(recipe, { meta: data.meta }),
  forecast: Effect.fnUntraced(function* ({ data, embeddings, ...optimization }, recipe) {
    const model = yield* planModel(recipe)
    const embedded = yield* planEmbeddings(model.config, embeddings, optimization.compat)
    return yield* trainingForecast({
      recipe,
      model,
      data,
      optimization,
      trains: isProjector,
      fakeQuantized: false,
      teacher: false,
      lines: ruleLines(embedded)
    })
  }),
  begin: Effect.fnUntraced(function* (
    { data, embeddings, ...optimization }: typeof TrainProjectorConfig.Type,
    { quantizedVision }: { readonly quantizedVision: PackedWeights },
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const model = yield* openSourceModel(recipe.model)
    const { directory, weights: original } = model
    const seeds = { selection: recipe.seed, order: seed }
    const source = yield* openSampleSource({ model: recipe.model, data, optimization, seed: seeds })
    const { choices } = yield* planEmbeddings(directory.config, embeddings, optimization.compat)
    const frozen = yield* owned(
      Effect.sync(() => quantizedEmbeddings(original, choices)),
      releaseParameters
    )
    const features = makeVisionFeatures({
      backend,
      config: directory.config,
      weights: packedWeights(quantizedVision, original),
      budget: Number(optimization.featureCache),
      dropPath: { rate: dropPathOf(optimization), seed }
    })
    const rematerialization = decideRematerialization({
      backend,
      config: directory.config,
      optimization,
      fakeQuantized: false,
      budget: yield* memoryBudget(recipe),
      features: [features]
    })
    const weightsOf = (parameters: Parameters) => weightsFrom(parameters, frozen, original)
    return yield* trainingProgram({
      meta: data.meta,
      source,
      optimization,
      initial: () => copyParameters(original, isProjector),
      rematerialization,
      prepare: async (batch, index, { rematerialize }) => {
        const seen = await features.of(batch, index)
        return {
          lossOf: (parameters) =>
            scope(() => {
              const weights = weightsOf(parameters)
              const again = rematerialize ? { parameters, weightsOf } : undefined
              const hidden = hiddenStates({ backend, directory, weights, batch, features: seen, rematerialize: again })
              return vocabularyLoss({
                losses: [crossEntropy()],
                labels: { values: batch.labels, batch: batch.size, length: batch.length },
                student: { hidden, weight: weights.get(headName) }
              })
            }),
          release: () => seen?.release()
        }
      },
      finish: (projector) => Effect.succeed({ output: { projector } })
    })
  })
})
