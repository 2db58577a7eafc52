/** Stage 2 of SPEED-Q: the projector alone learns to fit the quantized, frozen vision tower (arXiv:2511.08914 §3). */
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import type { PackedWeights } from "@speedq/quantizers"
import { type Parameters, scope } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { KnownQuantizers, QuantizedVision, TrainedProjector } from "../artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { copyParameters } from "../model/copyParameters.ts"
import { EmbeddingConfig, embeddingChoices, headName, quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { decodingRules } from "../model/rules.ts"
import { openSourceModel } from "../model/SourceModel.ts"
import { unpackAll } from "../model/unpackAll.ts"
import * as Stage from "../Stage.ts"
import { hiddenStates } from "../training/hiddenStates.ts"
import { openSampleSource } from "../training/SampleSource.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { trainingProgram } from "../training/trainingProgram.ts"
import { makeVisionFeatureCache } from "../training/VisionFeatures.ts"
import { fingerprintOf } from "./fingerprint.ts"

export const TrainProjectorConfig = Schema.Struct({
  data: DataConfig,
  ...OptimizationConfig.fields,
  /** Embedding and head are quantized from here on, as in the reference; null leaves them. */
  embeddings: EmbeddingConfig
})

export const TrainProjector = Stage.define({
  name: "train-projector",
  version: 1,
  config: TrainProjectorConfig,
  needs: [QuantizedVision],
  gives: [TrainedProjector],
  fingerprint: ({ data }, recipe) => fingerprintOf(recipe, [data.meta]),
  begin: Effect.fnUntraced(function* (
    { data, embeddings, ...optimization }: typeof TrainProjectorConfig.Type,
    { quantizedVision }: { readonly quantizedVision: PackedWeights },
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const known = yield* KnownQuantizers
    const model = yield* openSourceModel(recipe.model)
    const source = yield* openSampleSource(model, { data, optimization, seed })
    const choices = yield* decodingRules(() => embeddingChoices(embeddings, known))
    const frozen = { ...quantizedEmbeddings(model.weights, choices), ...unpackAll(quantizedVision) }
    const vision = weightsFrom(frozen, model.weights)
    const features = makeVisionFeatureCache(backend, model.directory.config, vision, Number(optimization.featureCache))
    return trainingProgram({
      source,
      optimization,
      initial: () => copyParameters(model.weights, (name) => name.startsWith("mlp1.")),
      prepare: async (batch) => {
        const seen = await features.of(batch)
        return {
          lossOf: (parameters: Parameters) =>
            scope(() => {
              const weights = weightsFrom(parameters, frozen, model.weights)
              const hidden = hiddenStates(backend, model.directory, weights, batch, seen)
              return vocabularyLoss({
                losses: [crossEntropy()],
                labels: { values: batch.labels, batch: batch.size, length: batch.length },
                student: { hidden, weight: weights.get(headName) }
              })
            }),
          release: () => seen?.release()
        }
      },
      finish: (parameters) => Effect.succeed({ output: { projector: parameters } })
    })
  })
})
