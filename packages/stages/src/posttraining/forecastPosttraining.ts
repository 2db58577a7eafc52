/** What a stage that quantizes block after block will take. */
import { Forecast, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { calibratedTime } from "../calibration/calibratedTime.ts"
import { recordsExtent, type SequencesExtent } from "../calibration/extent.ts"
import { weightsOf } from "../measuring/weightPieces.ts"
import type { ModelBlock } from "../model/modelBlocks.ts"
import { chosenMatrices, type PlannedLayers, planEmbeddings } from "../model/plannedLayers.ts"
import { visionTokens } from "../planning/cost.ts"
import { dataExtent } from "../planning/dataExtent.ts"
import { disagreements, quantizedAnew } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { mixtureForecast, nothingToLearnFrom } from "../planning/mixtureForecast.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import { bothOf, type Work } from "../planning/stageTime.ts"
import { noPictures } from "./BlockInputs.ts"
import { balancingBytes, balancingSeconds, isBalanced, requireDecoder } from "./balancing.ts"
import type { PosttrainingConfig } from "./PosttrainingConfig.ts"

interface ForecastOptions {
  readonly config: PosttrainingConfig
  readonly recipe: RecipeSettings
  readonly place: Stage.PlaceInRecipe
  readonly model: PlannedModel
  readonly linears: PlannedLayers
  readonly blocks: readonly ModelBlock[]
  /** Bytes that the method holds beside the inputs, at most. */
  readonly methodBytes: number
  /** Bytes of parameters that the method changes. */
  readonly changedBytes: number
  /** None where nothing can be measured. */
  readonly work: (sequences: SequencesExtent) => Effect.Effect<Option.Option<Work>>
}

export const forecastPosttraining = Effect.fnUntraced(function* (options: ForecastOptions) {
  const { config, recipe, place, model, linears, blocks, methodBytes, changedBytes, work } = options
  const { calibration, samples, compat, cache } = config
  yield* requireDecoder(config, blocks)
  const missing = yield* Forecast.missingFiles([calibration.meta], "give the meta file of a training mixture")
  const data = missing.length > 0 ? undefined : yield* mixtureForecast(calibration, compat, recipe, "calibration")
  const extent = recordsExtent(calibration, samples, tokensPerTile(model.config))
  const { llm_config: language, vision_config: vision } = model.config
  const hidden = blocks.some(({ tower }) => tower === "language")
    ? 4 * extent.count * extent.length * language.hidden_size
    : 0
  const tiles = blocks.some(({ tower }) => tower !== "language")
    ? 4 * extent.count * extent.tiles * visionTokens(model.config) * vision.hidden_size
    : 0
  const frozen = chosenMatrices(yield* planEmbeddings(model.config, config.embeddings, compat))
  const embeddings = 4 * weightsOf(frozen)
  const packed = quantizedBytes(linears) + changedBytes
  const sizes = { checkpointBytes: packed, outputBytes: packed }
  const balanced = isBalanced(config)
  const wholeWork = Effect.fnUntraced(function* (sequences: SequencesExtent) {
    const found = yield* work(sequences)
    return balanced ? bothOf(found, yield* balancingSeconds(model, sequences)) : found
  })
  const time = calibratedTime({
    ...{ calibration, compat, extent, work: wholeWork },
    files: { ...sizes, recipe, place, model, steps: blocks.length }
  })
  const looked = tiles > 0 && missing.length === 0 ? yield* dataExtent(calibration, compat, recipe) : Option.none()
  const pictureless = Option.exists(looked, ({ whole, records }) => whole && records.every((each) => each.tiles === 0))
  const inMemory = Math.min(tiles, Number(cache))
  const balancing = balanced ? balancingBytes(model, extent.length) : 0
  return Forecast.make({
    obstacles: [
      ...model.obstacles,
      ...missing,
      ...(data?.obstacles ?? []),
      ...(balanced && data ? nothingToLearnFrom(calibration.meta, data) : []),
      ...(pictureless ? [{ issue: noPictures(calibration.meta) }] : []),
      ...(yield* disagreements(model.config, place))
    ],
    // The sequences before and after a layer, and as they were collected. What is measured before is released by then.
    memoryBytes:
      model.loadedBytes + embeddings + Math.max(packed + Math.max(inMemory, 3 * hidden) + methodBytes, balancing),
    tensorBytes: model.weightBytes + embeddings + Math.max(packed + 3 * hidden + methodBytes, balancing),
    largest: largestTensor(model, {
      widened: [...frozen, ...chosenMatrices(linears)],
      tokens: extent.length,
      tiles: extent.tiles
    }),
    ...sizes,
    scratchBytes: tiles - inMemory,
    time,
    lines: [
      ...ruleLines(linears, place),
      ...(yield* quantizedAnew(model.config, place, linears.choices)),
      ...(data?.lines ?? [])
    ]
  })
})
