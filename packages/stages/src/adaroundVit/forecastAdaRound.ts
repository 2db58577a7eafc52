/** What block-wise AdaRound will take, and whether its quantizers can be used. */
import { existsSync } from "node:fs"
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { noneQuantizer } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { calibrationImages } from "../data/CalibrationTiles.ts"
import { RulesInvalid } from "../Errors.ts"
import { type PlannedLayers, planTowers } from "../model/plannedLayers.ts"
import {
  callsPerLayer,
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

/** Tensors of a Linear's size that its optimization holds: weight, soft weight, rounding variable, two moments, gradient. */
const copies = 6

const mostNamed = 3

/** Images that are listed and are not there, of those that may be used; or that there is none. */
const imageObstacles = Effect.fnUntraced(function* ({ images, count }: AdaRoundVitConfig) {
  const paths = (yield* calibrationImages(images)).slice(0, count)
  const absent = paths.filter((path) => !existsSync(path))
  const named = `${absent.slice(0, mostNamed).join(", ")}${absent.length > mostNamed ? `, and ${absent.length - mostNamed} more` : ""}`
  return [
    ...(paths.length === 0 ? [{ issue: `${images} names no image`, fix: "give calibration images" }] : []),
    ...(absent.length > 0
      ? [
          {
            issue: `${absent.length} images of ${images} do not exist: ${named}`,
            fix: "restore them, or take them out"
          }
        ]
      : []),
    ...(yield* missingCodec)
  ]
})

export const forecastAdaRound = Effect.fnUntraced(function* (
  config: AdaRoundVitConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe
) {
  const model = yield* planModel(recipe)
  const planned = yield* planTowers(model.config, ["vision"], config.quantizers, config.compat)
  yield* requireGrids(planned)
  const missing = yield* Forecast.missingFiles([config.images], "give a directory of images, or a file that lists them")
  const images = missing.length > 0 ? [] : yield* imageObstacles(config)
  const blocks = roundedBlocks(planned.choices, model.config)
  // Tiles pass every block before the last one that is rounded, whether it is rounded or not.
  const passed = blocks.length === 0 ? 0 : blocks.at(-1)! + 1
  const blockWeights = linearWeights(model.config, "vision") / model.config.vision_config.num_hidden_layers
  const tileBytes = 4 * visionTokens(model.config) * model.config.vision_config.hidden_size
  const cached = 2 * config.count * tileBytes
  const kept = 4 * config.batch * visionTokens(model.config) * visionBlockFloats(model.config)
  const forward = visionBlockFlops(model.config)
  // Forward and backward of an iteration; three looks at the error when a block is done.
  const flops =
    (3 * blocks.length * (config.iterations * config.batch + config.count) + 2 * passed * config.count) * forward
  const iterations = config.iterations + config.count / config.batch
  const calls = (3 * blocks.length * iterations + 2 * passed * config.count) * callsPerLayer
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
