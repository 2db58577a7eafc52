/** What a stage that fits the decoder layer by layer will take, whatever its method. */
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { blocksUsed, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { calibratedTime } from "../calibration/calibratedTime.ts"
import { sourceOf } from "../calibration/calibration.ts"
import { calibrationForecast, extentOf } from "../calibration/calibrationForecast.ts"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { decoderPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { type ChosenMatrix, weightsOf } from "../measuring/weightPieces.ts"
import { blockNames } from "../model/modelBlocks.ts"
import { chosenMatrices, planEmbeddings, planTowers, quantizedMatrices } from "../model/plannedLayers.ts"
import { languageLayerFloats, languageLayerFlops, linearWeights, visionBlockFlops } from "../planning/cost.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { type PlannedModel, planModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import { bothOf } from "../planning/stageTime.ts"
import { quantizedBlocks } from "./BlockTower.ts"
import { blockSeconds } from "./blockSeconds.ts"
import type { DecoderConfig } from "./fitDecoder.ts"
import type { MethodCost } from "./MethodCost.ts"

interface DecoderWork {
  readonly model: PlannedModel
  readonly sequences: SequencesExtent
  readonly blocks: readonly number[]
  readonly matrices: readonly ChosenMatrix[]
  readonly cost: MethodCost
  readonly inputs: DecoderConfig["inputs"]
}

/** Seconds of seeing the pictures: through the tower as it is, and where inputs are the quantized model's, as it is quantized. */
const seeingSeconds = Effect.fnUntraced(function* ({ model, sequences, inputs }: DecoderWork) {
  const { config, stored } = model
  const { count, like } = sequences
  const passes = inputs === "asymmetric" ? 2 : 1
  const tiles = meanOf(like)((each) => each.tiles)
  const vision = tiles > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined
  const measured = yield* measureSpeeds({ vision })
  return Option.map(measured, ({ seconds, notes }) => ({
    seconds: passes * count * tiles * blocksUsed(config) * visionBlockFlops(config) * seconds.vision,
    notes
  }))
})

/** Seconds of the stage's work. Samples of a mini-batch are filled up to the longest, which is not counted. */
const fittingSeconds = Effect.fnUntraced(function* (work: DecoderWork) {
  const { model, sequences, blocks, matrices, cost } = work
  const { config, stored } = model
  const { count, like } = sequences
  const mean = meanOf(like)
  const tokens = Math.max(1, Math.round(mean((each) => each.tokens)))
  const perSample = mean((each) => languageLayerFlops(config, each.tokens))
  const batch = Math.min(cost.batch, count)
  const fitting = yield* blockSeconds({
    blocks,
    iterations: cost.iterations(count),
    batchFlops: batch * perSample,
    sampleFlops: count * perSample,
    weights: weightsOf(matrices),
    pieces: {
      forward: decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }),
      iteration: decoderPiece(config, { batch, tokens, stored, learns: "all" }),
      ...(matrices.length > 0 ? cost.pieces(matrices) : { update: undefined })
    }
  })
  return bothOf(fitting, yield* seeingSeconds(work))
})

export const forecastDecoder = Effect.fnUntraced(function* (
  config: DecoderConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe,
  cost: MethodCost
) {
  const model = yield* planModel(recipe)
  const { llm_config: language } = model.config
  const planned = yield* planTowers(model.config, ["language"], config.quantizers, config.compat)
  const embedded = yield* planEmbeddings(model.config, config.embeddings, config.compat)
  yield* cost.requireFit(planned)
  const missing = yield* Forecast.missingFiles([sourceOf(config.calibration)], "give a file of calibration data")
  const data = missing.length > 0 ? undefined : yield* calibrationForecast({ ...config, sampleTokens: 1 }, recipe)
  const extent = extentOf(config, tokensPerTile(model.config), data?.blocks)
  const known = data?.blocks ?? data?.selected
  const samples = Math.min(extent.count, known ?? Number.POSITIVE_INFINITY)
  const blocks = quantizedBlocks(planned.choices, blockNames(model.config, "language"))
  const blockWeights = linearWeights(model.config, "language") / language.num_hidden_layers
  const sampleBytes = 4 * extent.length * language.hidden_size
  const cached = 2 * samples * sampleBytes
  const kept = 4 * Math.min(cost.batch, samples) * extent.length * languageLayerFloats(model.config)
  const frozen = chosenMatrices(embedded)
  const embeddings = 4 * weightsOf(frozen)
  const packed = quantizedBytes(planned)
  const sizes = { checkpointBytes: 4 * cost.stateCopies * blockWeights + packed, outputBytes: packed }
  const matrices = quantizedMatrices(planned)
  const iterations = cost.iterations(samples)
  const time = calibratedTime({
    ...config,
    extent: { ...extent, count: samples },
    work: (sequences) => fittingSeconds({ ...{ model, sequences, blocks, matrices, cost }, inputs: config.inputs }),
    files: { ...sizes, recipe, place, model, steps: blocks.length * (iterations + 1) }
  })
  const tensors = embeddings + 4 * cost.copies * blockWeights + kept
  return Forecast.make({
    obstacles: [
      ...model.obstacles,
      ...missing,
      ...(data?.obstacles ?? []),
      ...(yield* disagreements(model.config, place))
    ],
    memoryBytes: model.loadedBytes + tensors + Math.min(cached, Number(config.cache)),
    tensorBytes: model.weightBytes + tensors,
    largest: largestTensor(model, {
      widened: [...frozen, ...matrices],
      tokens: Math.min(cost.batch, samples) * extent.length
    }),
    ...sizes,
    scratchBytes: Math.max(0, cached - Number(config.cache)),
    time,
    lines: [
      ...ruleLines(planned, place),
      ...ruleLines(embedded),
      ...(data?.lines ?? []),
      `${blocks.length} layers, ${iterations} iterations each, ${known === undefined ? "up to " : ""}${samples} sequences of up to ${formatBytes(sampleBytes)}`
    ]
  })
})
