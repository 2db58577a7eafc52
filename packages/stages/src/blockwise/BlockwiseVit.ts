/**
 * Block-AP of EfficientQAT (Chen et al., arXiv:2407.11062 §3.2; docs/method.md, "Block-AP of the vision tower") on the vision tower, on
 * images only: it may stand in the place of stage 1. Weights and, with `grids: "learned"`, their grids are trained on the outputs of
 * blocks, where AdaRound chooses between the two codes beside a weight.
 */
import { brecqDefaults } from "@speedq/adaround"
import { writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { fitVision } from "../blocks/fitVision.ts"
import { forecastVision } from "../blocks/forecastVision.ts"
import { brecq } from "../blocks/roundingOptions.ts"
import { visionOptions } from "../blocks/visionOptions.ts"
import { visionStage } from "../blocks/visionStage.ts"
import type { BlockwiseVitOptions } from "../registry/stageOptions.ts"
import { blockApCost, blockApFit } from "./blockAp.ts"
import { trainingOptions } from "./trainingOptions.ts"

const BlockwiseVitConfig = Schema.Struct({
  ...visionOptions("Block-AP"),
  ...trainingOptions("tiles", "block", { batch: brecqDefaults.batch, source: brecq })
})
type BlockwiseVitConfig = typeof BlockwiseVitConfig.Type

export const BlockwiseVit = Stage.define({
  ...visionStage,
  name: "blockwise-vit",
  version: 1,
  config: writtenAs<BlockwiseVitOptions>()(BlockwiseVitConfig),
  forecast: (config: BlockwiseVitConfig, recipe, place) => forecastVision(config, recipe, place, blockApCost(config)),
  begin: (config: BlockwiseVitConfig, input, stage) => fitVision(config, input, stage, blockApFit(config))
})
