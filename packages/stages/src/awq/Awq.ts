/**
 * AWQ (arXiv:2306.00978) as a baseline: the decoder's weights, their columns scaled by what their inputs are, clipped, and rounded to nearest;
 * norms and Linears before them take the scales in (docs/method.md, "AWQ").
 */
import { option, requiredOption, writtenAs } from "@speedq/formats"
import { Count, Positive, Stage } from "@speedq/pipeline"
import { awqDefaults, RuleList } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizedLanguage } from "../artefacts/artefacts.ts"
import { type CalibratedInput, calibratedStage } from "../calibration/calibratedStage.ts"
import { blocksToQuantize } from "../model/modelBlocks.ts"
import { planTowers } from "../model/plannedLayers.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { planModel } from "../planning/plannedModel.ts"
import { forecastPosttraining } from "../posttraining/forecastPosttraining.ts"
import { PosttrainingConfig } from "../posttraining/PosttrainingConfig.ts"
import { posttrainingProgram } from "../posttraining/posttrainingProgram.ts"
import type { AwqOptions } from "../registry/stageOptions.ts"
import { awqBlock } from "./awqBlock.ts"
import { awqBytes, awqSeconds } from "./forecastAwq.ts"

const code = "AWQ's published code, mit-han-lab/llm-awq"

const AwqConfig = Schema.Struct({
  ...PosttrainingConfig.fields,
  quantizers: requiredOption(RuleList, {
    description: "Rules that give the decoder's Linears their quantizers; the first that matches decides."
  }),
  steps: option(Count, awqDefaults.steps, {
    description: "Exponents that are tried for the scales of each group of Linears: 0, 1 / steps, and so on, below 1.",
    unit: "exponents",
    source: code
  }),
  clip: option(Schema.Boolean, true, {
    description: "Searches a clipping range for each group of weights, but of queries and keys, after the scales.",
    source: code
  }),
  gridSize: option(Count, awqDefaults.gridSize, {
    description: "Steps that the way from the largest magnitude to 0 is cut into; `maxShrink` says how many are tried.",
    unit: "steps",
    source: code
  }),
  maxShrink: option(Positive, awqDefaults.maxShrink, {
    description: "How far the largest magnitude of a group may shrink.",
    unit: "share of the magnitude",
    source: code
  })
})
type AwqConfig = typeof AwqConfig.Type

export const Awq = Stage.define({
  ...calibratedStage,
  name: "awq",
  version: 1,
  config: writtenAs<AwqOptions>()(AwqConfig),
  gives: [QuantizedLanguage],
  forecast: Effect.fnUntraced(function* (config: AwqConfig, recipe, place) {
    const model = yield* planModel(recipe)
    const linears = yield* planTowers(model.config, ["language"], config.quantizers, config.compat)
    const blocks = blocksToQuantize(model.config, linears.choices)
    const work = { model, linears, blocks, settings: config }
    const vectors = [...modelTensors(model.config).values()].filter(({ length }) => length === 1)
    return yield* forecastPosttraining({
      ...{ config, recipe, place, model, linears, blocks },
      methodBytes: awqBytes(work),
      // Norms and biases, at most all of them.
      changedBytes: vectors.reduce((sum, shape) => sum + 4 * sizeOf(shape), 0),
      work: awqSeconds(work)
    })
  }),
  begin: Effect.fnUntraced(function* (config: AwqConfig, input: CalibratedInput, context: Stage.StageContext) {
    const model = yield* openRecipeModel(context.recipe)
    const { config: network } = model.directory
    const { quantizers, compat } = config
    const linears = yield* planTowers(network, ["language"], quantizers, compat, input.allocation)
    return yield* posttrainingProgram({
      ...{ config, input, context, model, linears },
      method: {
        name: "AWQ",
        through: "original",
        quantize: (open) => awqBlock(open, network.llm_config, config),
        output: ({ own, parameters }, choices) => ({ quantizedLanguage: { parameters, choices, packed: own } })
      }
    })
  })
})
