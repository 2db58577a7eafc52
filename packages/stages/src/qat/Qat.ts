/**
 * Stage 3 of SPEED-Q: projector and language model learn under fake quantization, from the labels and from the
 * full-precision teacher (arXiv:2511.08914 §3; docs/method.md, "Quantization-aware training").
 */
import { option, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import { towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  Allocation,
  ClippingRanges,
  QuantizedLanguage,
  QuantizedVision,
  TrainedProjector
} from "../artefacts/artefacts.ts"
import { EmbeddingConfig } from "../model/plannedLayers.ts"
import { towerParameters } from "../model/towerParameters.ts"
import type { QatOptions } from "../registry/stageOptions.ts"
import { decideLosses, LossConfig } from "../training/LossConfig.ts"
import {
  DataConfig,
  gridOptions,
  OptimizationConfig,
  quantizeProjector,
  TrainedPartsAndTower,
  teacherWeights
} from "../training/TrainingConfig.ts"
import { trainsBeyondTower, trainsLastBlocks } from "../training/trainedParts.ts"
import { trainingStage } from "../training/trainingStage.ts"

export const QatConfig = Schema.Struct({
  data: requiredOption(DataConfig, { description: "What is trained on." }),
  ...OptimizationConfig.fields,
  quantizers: requiredOption(RuleList, {
    description: "Rules that give the decoder's Linears their quantizers; the first that matches decides."
  }),
  quantizeProjector,
  embeddings: EmbeddingConfig,
  start: optionalOption(Schema.Literals(["model", "quantized"]), {
    description:
      "Weights that training starts from: those of the `model`, clipped where ranges were searched for, or those that a stage before has `quantized`, such as gptq, as they are.",
    source: "model: arXiv:2511.08914 §3"
  }),
  ...gridOptions,
  teacherWeights,
  train: optionalOption(TrainedPartsAndTower, {
    description: "Parts that are trained besides the language model's own layers.",
    source: "the projector alone"
  }),
  loss: option(LossConfig, {}, { description: "The losses: which, how strong, over which tokens." })
})

export const Qat = Stage.define({
  name: "qat",
  version: 2,
  config: writtenAs<QatOptions>()(QatConfig),
  uses: [Allocation, QuantizedVision, TrainedProjector, ClippingRanges, QuantizedLanguage],
  takes: ({ start = "model" }, { name }) => name !== (start === "model" ? QuantizedLanguage.name : ClippingRanges.name),
  gives: [QuantizedLanguage, TrainedProjector],
  ...trainingStage({
    fakeQuantizes: ({ quantizeProjector }: typeof QatConfig.Type) =>
      quantizeProjector ? ["projector", "language"] : ["language"],
    trains: (name, quantized, options, config) =>
      towerOf(name) === "vision"
        ? trainsLastBlocks(name, options, config)
        : trainsBeyondTower(name, quantized, options, config),
    losses: ({ loss, compat }) => decideLosses(loss, compat),
    seesEmbeddings: "language",
    artefacts: ({ trained, packed, projector, choices }) =>
      Effect.succeed({
        projector,
        quantizedLanguage: {
          parameters: { ...towerParameters("language", trained), ...towerParameters("vision", trained) },
          choices: new Map(choices),
          packed
        }
      })
  })
})
