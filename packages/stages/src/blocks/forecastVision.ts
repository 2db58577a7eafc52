/** What fitting the vision tower block by block will take, and whether its quantizers can be used. */
import { existsSync } from "node:fs"
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { openCalibrationTiles, pictureFix } from "../data/CalibrationTiles.ts"
import { drawPictures, isPicture, sourcesOf } from "../data/calibrationPictures.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { visionPiece } from "../measuring/networkPieces.ts"
import { weightsOf } from "../measuring/weightPieces.ts"
import { blockNames } from "../model/modelBlocks.ts"
import { chosenMatrices, type PlannedLayers, planTowers, quantizedMatrices } from "../model/plannedLayers.ts"
import { linearWeights, visionBlockFloats, visionBlockFlops, visionTokens } from "../planning/cost.ts"
import { listed, mostNamed } from "../planning/datasetObstacles.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { missingCodec } from "../planning/mixtureForecast.ts"
import { type PlannedModel, planModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import { bothOf, stageTime } from "../planning/stageTime.ts"
import { quantizedBlocks } from "./BlockTower.ts"
import { blockSeconds } from "./blockSeconds.ts"
import type { VisionConfig } from "./fitVision.ts"
import type { MethodCost } from "./MethodCost.ts"

/** What is fitted. */
export interface VisionWork {
  readonly model: PlannedModel
  /** Places of the blocks that are fitted. */
  readonly blocks: readonly number[]
  readonly tiles: number
  /** Tiles of a mini-batch. */
  readonly batch: number
}

interface VisionCost extends MethodCost {
  /** Gradients that errors are weighed by: cached beside inputs and targets. Undefined where all count alike. */
  readonly weighingSeconds?: ((work: VisionWork) => ReturnType<typeof blockSeconds>) | undefined
}

/** Images that a stage would use and that are not there: all that is known without a model. */
const absentImages = Effect.fnUntraced(function* (config: VisionConfig, seed: number) {
  const drawn = (yield* drawPictures(config, seed)).filter(isPicture).slice(0, config.count)
  const absent = drawn.filter(({ file }) => !existsSync(file))
  return { count: undefined, replaced: absent.map(({ file }) => ({ reason: `${file}: it does not exist` })) }
})

/** Tiles that the images give, by their first bytes, and images that cannot be used. */
const tilesThere = Effect.fnUntraced(function* (config: VisionConfig, { model, seed }: RecipeSettings) {
  const opened = yield* Effect.option(openModelDirectory(model))
  if (Option.isNone(opened)) return yield* absentImages(config, seed)
  const limits = pictureLimits(config.reading, config.compat)
  const opening = { limits, onError: "substitute", decode: false } as const
  return yield* openCalibrationTiles(config, opened.value.image, seed, opening)
})

/** Seconds of the stage's work. */
const fittingSeconds = Effect.fnUntraced(function* (work: VisionWork, planned: PlannedLayers, cost: VisionCost) {
  const { model, blocks, tiles, batch } = work
  const { config, stored } = model
  const matrices = quantizedMatrices(planned)
  const perTile = visionBlockFlops(config)
  const fitting = yield* blockSeconds({
    blocks,
    iterations: cost.iterations(tiles),
    batchFlops: batch * perTile,
    sampleFlops: tiles * perTile,
    weights: weightsOf(matrices),
    pieces: {
      forward: visionPiece(config, { tiles: 1, stored, trained: false }),
      iteration: visionPiece(config, { tiles: batch, stored, trained: true }),
      ...(matrices.length > 0 ? cost.pieces(matrices) : { update: undefined })
    }
  })
  if (cost.weighingSeconds === undefined || blocks.length === 0) return fitting
  return bothOf(fitting, yield* cost.weighingSeconds(work))
})

/** What of the images is there, what stands in the way, and what is told of it. */
const imagesThere = Effect.fnUntraced(function* (config: VisionConfig, recipe: RecipeSettings) {
  const found = yield* Effect.result(tilesThere(config, recipe))
  const codec = yield* missingCodec
  if (Result.isFailure(found)) return { tiles: undefined, obstacles: [Forecast.obstacleOf(found.failure)], lines: [] }
  const { replaced, count } = found.success
  const issue = `${replaced.length} images of ${sourcesOf(config).join(", ")} cannot be used: ${listed(
    replaced.length,
    replaced.slice(0, mostNamed).map(({ reason }) => reason)
  )}`
  if (replaced.length === 0) return { tiles: count, obstacles: codec, lines: [] }
  return config.onError === "substitute"
    ? { tiles: count, obstacles: codec, lines: [`${issue}; others take their places`] }
    : { tiles: count, obstacles: [{ issue, fix: pictureFix }, ...codec], lines: [] }
})

export const forecastVision = Effect.fnUntraced(function* (
  config: VisionConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe,
  cost: VisionCost
) {
  const model = yield* planModel(recipe)
  const planned = yield* planTowers(model.config, ["vision"], config.quantizers, config.compat)
  yield* cost.requireFit(planned)
  const missing = yield* Forecast.missingFiles(
    sourcesOf(config),
    "give directories of images, files that list them, or meta files of training data"
  )
  const images =
    missing.length > 0 ? { tiles: undefined, obstacles: [], lines: [] } : yield* imagesThere(config, recipe)
  const blocks = quantizedBlocks(planned.choices, blockNames(model.config, "vision"))
  const blockWeights = linearWeights(model.config, "vision") / model.config.vision_config.num_hidden_layers
  const tileBytes = 4 * visionTokens(model.config) * model.config.vision_config.hidden_size
  const cached = (cost.weighingSeconds ? 3 : 2) * config.count * tileBytes
  const kept = 4 * cost.batch * visionTokens(model.config) * visionBlockFloats(model.config)
  const packed = quantizedBytes(planned)
  const sizes = { checkpointBytes: 4 * cost.stateCopies * blockWeights + packed, outputBytes: packed }
  const tiles = images.tiles ?? config.count
  const batch = Math.min(cost.batch, tiles)
  const iterations = cost.iterations(tiles)
  const steps = blocks.length * (iterations + 1)
  const tensors = 4 * cost.copies * blockWeights + kept
  return Forecast.make({
    obstacles: [...model.obstacles, ...missing, ...images.obstacles, ...(yield* disagreements(model.config, place))],
    memoryBytes: model.loadedBytes + tensors + Math.min(cached, Number(config.cache)),
    tensorBytes: model.weightBytes + tensors,
    largest: largestTensor(model, { widened: chosenMatrices(planned), tiles: batch }),
    ...sizes,
    scratchBytes: Math.max(0, cached - Number(config.cache)),
    time: Effect.flatMap(fittingSeconds({ model, blocks, tiles, batch }, planned, cost), (work) =>
      stageTime(work, { ...sizes, recipe, place, model, steps })
    ),
    lines: [
      ...ruleLines(planned, place),
      `${blocks.length} blocks, ${iterations} iterations each, ${images.tiles === undefined ? "up to " : ""}${tiles} tiles of ${formatBytes(tileBytes)}`,
      ...images.lines
    ]
  })
})
