/** What block-wise AdaRound will take, and whether its quantizers can be used. */
import { existsSync } from "node:fs"
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { blocksUsed, type ModelConfig, openModelDirectory, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { quantizedBlocks } from "../blocks/BlockTower.ts"
import { blockSeconds } from "../blocks/blockSeconds.ts"
import { roundingCopies } from "../blocks/roundingMethod.ts"
import { openCalibrationTiles, pictureFix } from "../data/CalibrationTiles.ts"
import { drawPictures, isPicture, sourcesOf } from "../data/calibrationPictures.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { roundingPiece, weightsOf } from "../measuring/weightPieces.ts"
import { blockNames } from "../model/modelBlocks.ts"
import { chosenMatrices, type PlannedLayers, planTowers, quantizedMatrices } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import { languageFlops, linearWeights, visionBlockFloats, visionBlockFlops, visionTokens } from "../planning/cost.ts"
import { listed, mostNamed } from "../planning/datasetObstacles.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { missingCodec } from "../planning/mixtureForecast.ts"
import { type PlannedModel, planModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import { bothOf, stageTime } from "../planning/stageTime.ts"
import type { AdaRoundVitConfig } from "./AdaRoundVitConfig.ts"
import { answerTokens } from "./fisherGradient.ts"

/**
 * Operations of Fisher weights, forward: for each tile and block a pass through the blocks after it and the decoder, and back; for
 * each tile an answer. They are computed again on the way back, which is another pass.
 */
const fisherFlops = (config: ModelConfig, blocks: readonly number[], tiles: number) => {
  const tokens = tokensPerTile(config) + answerTokens
  const after = blocks.reduce((sum, index) => sum + blocksUsed(config) - 1 - index, 0)
  return {
    tower: tiles * after * visionBlockFlops(config),
    decoder: tiles * blocks.length * languageFlops(config, tokens),
    answers: tiles * languageFlops(config, tokens)
  }
}

/** Images that a stage would use and that are not there: all that is known without a model. */
const absentImages = Effect.fnUntraced(function* (config: AdaRoundVitConfig, seed: number) {
  const drawn = (yield* drawPictures(config, seed)).filter(isPicture).slice(0, config.count)
  const absent = drawn.filter(({ file }) => !existsSync(file))
  return { count: undefined, replaced: absent.map(({ file }) => ({ reason: `${file}: it does not exist` })) }
})

/** Tiles that the images give, by their first bytes, and images that cannot be used. */
const tilesThere = Effect.fnUntraced(function* (config: AdaRoundVitConfig, { model, seed }: RecipeSettings) {
  const opened = yield* Effect.option(openModelDirectory(model))
  if (Option.isNone(opened)) return yield* absentImages(config, seed)
  const limits = pictureLimits(config.reading, config.compat)
  const opening = { limits, onError: "substitute", decode: false } as const
  return yield* openCalibrationTiles(config, opened.value.image, seed, opening)
})

interface RoundingWork {
  readonly config: AdaRoundVitConfig
  readonly model: PlannedModel
  readonly planned: PlannedLayers
  readonly blocks: readonly number[]
  readonly tiles: number
}

/** Seconds of Fisher weights: of passes through the rest of the model and back. */
const fisherSeconds = Effect.fnUntraced(function* ({ config, model, blocks, tiles }: RoundingWork) {
  const { config: network, stored } = model
  const batch = Math.min(config.batch, tiles)
  const passage = { batch: 1, tokens: tokensPerTile(network) + answerTokens, stored }
  const measured = yield* measureSpeeds({
    forward: visionPiece(network, { tiles: 1, stored, trained: false }),
    back: visionPiece(network, { tiles: batch, stored, trained: true }),
    answering: decoderPiece(network, { ...passage, learns: "nothing" }),
    weighing: decoderPiece(network, { ...passage, learns: "input" })
  })
  return Option.map(measured, ({ seconds, notes }) => {
    const flops = fisherFlops(network, blocks, tiles)
    const tower = flops.tower * (seconds.forward + seconds.back)
    const decoder = flops.decoder * (seconds.answering + seconds.weighing)
    return { seconds: tower + decoder + flops.answers * seconds.answering, notes }
  })
})

/** Seconds of the stage's work. */
const roundingSeconds = Effect.fnUntraced(function* (work: RoundingWork) {
  const { config, model, planned, blocks, tiles } = work
  const { config: network, stored } = model
  const matrices = quantizedMatrices(planned)
  const batch = Math.min(config.batch, tiles)
  const perTile = visionBlockFlops(network)
  const rounding = yield* blockSeconds({
    blocks,
    iterations: config.iterations,
    batchFlops: batch * perTile,
    sampleFlops: tiles * perTile,
    weights: weightsOf(matrices),
    pieces: {
      forward: visionPiece(network, { tiles: 1, stored, trained: false }),
      iteration: visionPiece(network, { tiles: batch, stored, trained: true }),
      update: matrices.length > 0 ? roundingPiece(matrices) : undefined
    }
  })
  const weighted = config.weighting === "fisher" && blocks.length > 0
  if (!weighted) return rounding
  return bothOf(rounding, yield* fisherSeconds(work))
})

/** What of the images is there, what stands in the way, and what is told of it. */
const imagesThere = Effect.fnUntraced(function* (config: AdaRoundVitConfig, recipe: RecipeSettings) {
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

export const forecastAdaRound = Effect.fnUntraced(function* (
  config: AdaRoundVitConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe
) {
  const model = yield* planModel(recipe)
  const planned = yield* planTowers(model.config, ["vision"], config.quantizers, config.compat)
  yield* requireGrids("AdaRound", planned)
  const missing = yield* Forecast.missingFiles(
    sourcesOf(config),
    "give directories of images, files that list them, or meta files of training data"
  )
  const images =
    missing.length > 0 ? { tiles: undefined, obstacles: [], lines: [] } : yield* imagesThere(config, recipe)
  const blocks = quantizedBlocks(planned.choices, blockNames(model.config, "vision"))
  const blockWeights = linearWeights(model.config, "vision") / model.config.vision_config.num_hidden_layers
  const tileBytes = 4 * visionTokens(model.config) * model.config.vision_config.hidden_size
  const weighted = config.weighting === "fisher"
  const cached = (weighted ? 3 : 2) * config.count * tileBytes
  const kept = 4 * config.batch * visionTokens(model.config) * visionBlockFloats(model.config)
  const packed = quantizedBytes(planned)
  const sizes = { checkpointBytes: 12 * blockWeights + packed, outputBytes: packed }
  const tiles = images.tiles ?? config.count
  const steps = blocks.length * (config.iterations + 1)
  // A mini-batch that is cut has the sum of its gradients beside those of a part.
  const copies = roundingCopies + (config.shards > 1 ? 1 : 0)
  const tensors = 4 * copies * blockWeights + kept
  return Forecast.make({
    obstacles: [...model.obstacles, ...missing, ...images.obstacles, ...(yield* disagreements(model.config, place))],
    memoryBytes: model.loadedBytes + tensors + Math.min(cached, Number(config.cache)),
    tensorBytes: model.weightBytes + tensors,
    largest: largestTensor(model, { widened: chosenMatrices(planned), tiles: Math.min(config.batch, tiles) }),
    ...sizes,
    scratchBytes: Math.max(0, cached - Number(config.cache)),
    time: Effect.flatMap(roundingSeconds({ config, model, planned, blocks, tiles }), (work) =>
      stageTime(work, { ...sizes, recipe, place, model, steps })
    ),
    lines: [
      ...ruleLines(planned, place),
      `${blocks.length} blocks, ${config.iterations} iterations each, ${images.tiles === undefined ? "up to " : ""}${tiles} tiles of ${formatBytes(tileBytes)}`,
      ...images.lines
    ]
  })
})
