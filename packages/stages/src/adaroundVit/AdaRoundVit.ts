/**
 * Stage 1 of SPEED-Q: block-wise AdaRound of the vision tower, on images only (arXiv:2511.08914 §3; docs/method.md,
 * "AdaRound").
 */

import { writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import { fitVision } from "../blocks/fitVision.ts"
import { forecastVision } from "../blocks/forecastVision.ts"
import { requireRoundable, roundingCost } from "../blocks/roundingCost.ts"
import { roundingMethod } from "../blocks/roundingMethod.ts"
import { visionStage } from "../blocks/visionStage.ts"
import type { AdaRoundVitOptions } from "../registry/stageOptions.ts"
import { AdaRoundVitConfig } from "./AdaRoundVitConfig.ts"
import { makeFisherGradient } from "./fisherGradient.ts"
import { fisherSeconds } from "./fisherTime.ts"

export const AdaRoundVit = Stage.define({
  ...visionStage,
  name: "adaround-vit",
  // 2: images are drawn, where there are more than are used.
  version: 2,
  config: writtenAs<AdaRoundVitOptions>()(AdaRoundVitConfig),
  forecast: (config: AdaRoundVitConfig, recipe, place) =>
    forecastVision(config, recipe, place, {
      ...roundingCost(config),
      weighingSeconds: config.weighting === "fisher" ? fisherSeconds : undefined
    }),
  begin: (config: AdaRoundVitConfig, input, stage) =>
    fitVision(config, input, stage, {
      requireFit: requireRoundable,
      makeMethod: () => roundingMethod(config),
      weigh:
        config.weighting === "fisher" ? (opened) => makeFisherGradient({ ...opened, seed: stage.seed }) : undefined,
      shards: config.shards
    })
})
