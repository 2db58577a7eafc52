/** What block-wise AdaRound will take, and whether its quantizers can be used. */
import { existsSync } from "node:fs"
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { noneQuantizer } from "@speedq/quantizers"
import { blocksUsed, type ModelConfig, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { drawPictures, sourcesOf } from "../data/calibrationPictures.ts"
import { RulesInvalid } from "../Errors.ts"
import { type PlannedLayers, planTowers } from "../model/plannedLayers.ts"
import {
  callsPerLayer,
  languageFlops,
  linearWeights,
  secondsFor,
  visionBlockFloats,
  visionBlockFlops,
  visionTokens
} from "../planning/cost.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { missingCodec } from "../planning/mixtureForecast.ts"
import { planModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import type { AdaRoundVitConfig } from "./AdaRoundVitConfig.ts"
import { answerTokens } from "./fisherGradient.ts"
import { roundedBlocks } from "./VisionSession.ts"

/** Fails with RulesInvalid when a quantizer has no grid to round on: now, and not when its block is reached. */
export const requireGrids = ({ choices }: PlannedLayers): Effect.Effect<void, RulesInvalid> => {
  const without = [...choices].filter(
    ([
      ,
      {
        quantizer: { id, grid }
      }
    ]) => grid === undefined && id !== noneQuantizer.id
  )
  if (without.length === 0) return Effect.void
  const named = without.map(([layer, { quantizer }]) => `${layer} (${quantizer.id})`).join(", ")
  const reason = `AdaRound needs a quantizer with a grid, bilevel or uniform: ${named}`
  return Effect.fail(new RulesInvalid({ reason }))
}

/**
 * What Fisher weights take: for each tile and block a pass through the blocks after it and the decoder, again for the backward
 * pass, and back; for each tile an answer.
 */
const fisherCost = (config: ModelConfig, blocks: readonly number[], tiles: number) => {
  const tokens = tokensPerTile(config) + answerTokens
  const decoder = languageFlops(config, tokens, answerTokens)
  const after = blocks.reduce((sum, index) => sum + blocksUsed(config) - 1 - index, 0)
  const passes = 3 * tiles
  const decoderLayers = config.llm_config.num_hidden_layers
  return {
    flops: passes * (after * visionBlockFlops(config) + blocks.length * decoder) + tiles * decoder,
    layers: passes * (after + blocks.length * decoderLayers) + tiles * answerTokens * decoderLayers
  }
}

/** Tensors of a Linear's size that its optimization holds: weight, soft weight, rounding variable, two moments, gradient. */
const copies = 6

const mostNamed = 3

/** Images that are drawn and are not there; or that there is none. */
const imageObstacles = Effect.fnUntraced(function* (config: AdaRoundVitConfig, { seed }: RecipeSettings) {
  const drawn = yield* Effect.result(drawPictures(config, seed))
  if (Result.isFailure(drawn)) return [{ issue: drawn.failure.reason, fix: "give calibration images" }]
  const absent = drawn.success.map(({ file }) => file).filter((file) => !existsSync(file))
  const named = `${absent.slice(0, mostNamed).join(", ")}${absent.length > mostNamed ? `, and ${absent.length - mostNamed} more` : ""}`
  const issue = `${absent.length} images of ${sourcesOf(config).join(", ")} do not exist: ${named}`
  return [...(absent.length > 0 ? [{ issue, fix: "restore them, or take them out" }] : []), ...(yield* missingCodec)]
})

export const forecastAdaRound = Effect.fnUntraced(function* (
  config: AdaRoundVitConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe
) {
  const model = yield* planModel(recipe)
  const planned = yield* planTowers(model.config, ["vision"], config.quantizers, config.compat)
  yield* requireGrids(planned)
  const missing = yield* Forecast.missingFiles(
    sourcesOf(config),
    "give directories of images, files that list them, or meta files of training data"
  )
  const images = missing.length > 0 ? [] : yield* imageObstacles(config, recipe)
  const blocks = roundedBlocks(planned.choices, model.config)
  // Tiles pass every block before the last one that is rounded, whether it is rounded or not.
  const passed = blocks.length === 0 ? 0 : blocks.at(-1)! + 1
  const blockWeights = linearWeights(model.config, "vision") / model.config.vision_config.num_hidden_layers
  const tileBytes = 4 * visionTokens(model.config) * model.config.vision_config.hidden_size
  const weighted = config.weighting === "fisher"
  const cached = (weighted ? 3 : 2) * config.count * tileBytes
  const kept = 4 * config.batch * visionTokens(model.config) * visionBlockFloats(model.config)
  const forward = visionBlockFlops(model.config)
  // Forward and backward of an iteration; three looks at the error when a block is done.
  const fisher = weighted ? fisherCost(model.config, blocks, config.count) : { flops: 0, layers: 0 }
  const flops =
    (3 * blocks.length * (config.iterations * config.batch + config.count) + 2 * passed * config.count) * forward +
    fisher.flops
  const iterations = config.iterations + config.count / config.batch
  const calls = (3 * blocks.length * iterations + 2 * passed * config.count + fisher.layers) * callsPerLayer
  const packed = quantizedBytes(planned)
  return Forecast.make({
    obstacles: [...model.obstacles, ...missing, ...images, ...(yield* disagreements(model.config, place))],
    memoryBytes: model.loadedBytes + 4 * copies * blockWeights + kept + Math.min(cached, Number(config.cache)),
    checkpointBytes: 12 * blockWeights + packed,
    outputBytes: packed,
    scratchBytes: Math.max(0, cached - Number(config.cache)),
    seconds: yield* secondsFor(flops, calls),
    lines: [
      ...ruleLines(planned),
      `${blocks.length} blocks, ${config.iterations} iterations each, up to ${config.count} tiles of ${formatBytes(tileBytes)}`
    ]
  })
})
