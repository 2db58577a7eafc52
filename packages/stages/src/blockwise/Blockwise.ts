/**
 * Block-AP of EfficientQAT (Chen et al., arXiv:2407.11062 §3.2; docs/method.md, "Block-AP"): decoder layer by decoder layer, weights and
 * the parameters of their grids are trained on the layer's output, by straight-through gradients. The paper's second phase, E2E-QP,
 * which trains step sizes alone through the whole model, is not a part of it.
 */
import { efficientQatDefaults, learnsGrid } from "@speedq/adaround"
import { option, optionalOption, writtenAs } from "@speedq/formats"
import { Count, Rate, Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizedLanguage } from "../artefacts/artefacts.ts"
import { decoderOptions } from "../blocks/decoderOptions.ts"
import { fitDecoder } from "../blocks/fitDecoder.ts"
import { forecastDecoder } from "../blocks/forecastDecoder.ts"
import { blockOptions } from "../blocks/roundingOptions.ts"
import { calibratedStage } from "../calibration/calibratedStage.ts"
import { fakeQuantizationPiece, optimizerPiece } from "../measuring/weightPieces.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import type { BlockwiseOptions } from "../registry/stageOptions.ts"
import { requireLearnedGrids } from "../training/learnedGrids.ts"
import { refuseSearches } from "../training/refuseSearches.ts"
import { batchesOf, trainingCopies, trainingMethod } from "./trainingMethod.ts"

const source = "EfficientQAT (arXiv:2407.11062)"

const BlockwiseConfig = Schema.Struct({
  ...decoderOptions(efficientQatDefaults.samples, source),
  epochs: option(Count, efficientQatDefaults.epochs, {
    description: "Passes over the records, for each layer.",
    unit: "epochs",
    source
  }),
  batch: option(Count, efficientQatDefaults.batch, {
    description: "Records of one iteration.",
    unit: "records",
    source
  }),
  learningRate: optionalOption(Rate, {
    description:
      "Adam's rate for the weights, at the beginning of each layer; it falls to a twentieth. Small models need a larger one.",
    source: "2e-5 at 2 bits and 1e-5 at more, as EfficientQAT (arXiv:2407.11062)"
  }),
  grids: optionalOption(Schema.Literals(["follow", "learned"]), {
    description: "Scales and zero points of the groups `follow` the weights, or are `learned` beside them.",
    source:
      "learned with `uniform`, as EfficientQAT (arXiv:2407.11062); follow with `bilevel`, whose groups share what is stored of their scales"
  }),
  gridRate: option(Rate, efficientQatDefaults.gridRate, {
    description: "Adam's rate for scales and zero points, where they are learned.",
    source
  }),
  ...blockOptions("Block-AP")
})
type BlockwiseConfig = typeof BlockwiseConfig.Type

/** Weights are quantized in every iteration: only a grid that is learned may be searched for, as that is done once. */
const requireFit =
  ({ grids }: BlockwiseConfig) =>
  (planned: PlannedLayers) => {
    const { choices } = planned
    const following = new Map([...choices].filter(([, choice]) => !learnsGrid(choice, grids)))
    return requireGrids("Block-AP", planned).pipe(
      Effect.andThen(requireLearnedGrids(grids === "learned" ? choices : new Map())),
      Effect.andThen(refuseSearches(following))
    )
  }

export const Blockwise = Stage.define({
  ...calibratedStage,
  name: "blockwise",
  version: 1,
  config: writtenAs<BlockwiseOptions>()(BlockwiseConfig),
  gives: [QuantizedLanguage],
  forecast: (config: BlockwiseConfig, recipe, place) =>
    forecastDecoder(config, recipe, place, {
      requireFit: requireFit(config),
      batch: config.batch,
      iterations: (samples) => config.epochs * batchesOf(samples, config.batch),
      copies: trainingCopies,
      stateCopies: 3,
      pieces: (matrices) => ({
        update: fakeQuantizationPiece(matrices, true),
        optimizer: optimizerPiece(matrices.map(({ shape }) => shape))
      })
    }),
  begin: (config: BlockwiseConfig, input, stage) =>
    fitDecoder(config, input, stage, requireFit(config), (samples, choices) =>
      trainingMethod(
        {
          iterations: config.epochs * batchesOf(samples, config.batch),
          batch: config.batch,
          learningRate: (layer) => {
            const { quantizer, config: own } = choices.get(layer)!
            return config.learningRate ?? efficientQatDefaults.learningRate(quantizer.grid!.extents(own).bits)
          },
          gridRate: config.gridRate,
          grids: config.grids
        },
        choices
      )
    )
})
