/**
 * Block-AP of EfficientQAT (Chen et al., arXiv:2407.11062 §3.2; docs/method.md, "Block-AP"): decoder layer by decoder layer, weights and
 * the parameters of their grids are trained on the layer's output, by straight-through gradients. The paper's second phase, E2E-QP,
 * which trains step sizes alone through the whole model, is not a part of it.
 */
import { efficientQatDefaults } from "@speedq/adaround"
import { writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { QuantizedLanguage } from "../artefacts/artefacts.ts"
import { decoderOptions } from "../blocks/decoderOptions.ts"
import { fitDecoder } from "../blocks/fitDecoder.ts"
import { forecastDecoder } from "../blocks/forecastDecoder.ts"
import { calibratedStage } from "../calibration/calibratedStage.ts"
import type { BlockwiseOptions } from "../registry/stageOptions.ts"
import { blockApCost, blockApFit } from "./blockAp.ts"
import { efficientQat, trainingOptions } from "./trainingOptions.ts"

const BlockwiseConfig = Schema.Struct({
  ...decoderOptions(efficientQatDefaults.samples, efficientQat),
  ...trainingOptions("records", "layer", { batch: efficientQatDefaults.batch, source: efficientQat })
})
type BlockwiseConfig = typeof BlockwiseConfig.Type

export const Blockwise = Stage.define({
  ...calibratedStage,
  name: "blockwise",
  version: 1,
  config: writtenAs<BlockwiseOptions>()(BlockwiseConfig),
  gives: [QuantizedLanguage],
  forecast: (config: BlockwiseConfig, recipe, place) => forecastDecoder(config, recipe, place, blockApCost(config)),
  begin: (config: BlockwiseConfig, input, stage) => fitDecoder(config, input, stage, blockApFit(config))
})
