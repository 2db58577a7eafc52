/**
 * AdaRound of the language model, decoder layer by decoder layer (arXiv:2004.10568, in blocks as in BRECQ, arXiv:2102.05426;
 * docs/method.md, "AdaRound of the language model"): stage 1's method on the decoder, as a baseline without training. Inputs of a
 * layer come from the quantized model, its targets from the full-precision one.
 */
import { writtenAs } from "@speedq/formats"
import { Stage } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { QuantizedLanguage } from "../artefacts/artefacts.ts"
import { decoderOptions } from "../blocks/decoderOptions.ts"
import { fitDecoder } from "../blocks/fitDecoder.ts"
import { forecastDecoder } from "../blocks/forecastDecoder.ts"
import { requireRoundable, roundingCost } from "../blocks/roundingCost.ts"
import { roundingMethod } from "../blocks/roundingMethod.ts"
import { blockOptions, brecq, roundingOptions } from "../blocks/roundingOptions.ts"
import { calibratedStage } from "../calibration/calibratedStage.ts"
import type { AdaRoundLanguageOptions } from "../registry/stageOptions.ts"

const AdaRoundLanguageConfig = Schema.Struct({
  ...decoderOptions(1024, brecq),
  ...roundingOptions("records"),
  ...blockOptions("AdaRound")
})
type AdaRoundLanguageConfig = typeof AdaRoundLanguageConfig.Type

export const AdaRoundLanguage = Stage.define({
  ...calibratedStage,
  name: "adaround-language",
  version: 1,
  config: writtenAs<AdaRoundLanguageOptions>()(AdaRoundLanguageConfig),
  gives: [QuantizedLanguage],
  forecast: (config: AdaRoundLanguageConfig, recipe, place) =>
    forecastDecoder(config, recipe, place, roundingCost(config)),
  begin: (config: AdaRoundLanguageConfig, input, stage) =>
    fitDecoder(config, input, stage, { requireFit: requireRoundable, makeMethod: () => roundingMethod(config) })
})
