/** What a stage that quantizes block after block will take. */
import { Forecast, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { sizeOf } from "@speedq/tensors"
import { tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { recordsExtent, type SequencesExtent, sequencesOf } from "../calibration/extent.ts"
import type { ModelBlock } from "../model/modelBlocks.ts"
import { chosenMatrices, type PlannedLayers, planEmbeddings } from "../model/plannedLayers.ts"
import { visionTokens } from "../planning/cost.ts"
import { dataExtent, extentLine } from "../planning/dataExtent.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { mixtureForecast } from "../planning/mixtureForecast.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import { stageTime } from "../planning/stageTime.ts"
import { noPictures } from "./BlockInputs.ts"
import type { PosttrainingConfig } from "./PosttrainingConfig.ts"

/** Seconds of the work, and what is to be told of it; none where nothing can be measured. */
type Work = Option.Option<{ readonly seconds: number; readonly notes: readonly string[] }>

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
  readonly work: (sequences: SequencesExtent) => Effect.Effect<Work>
}

export const forecastPosttraining = Effect.fnUntraced(function* (options: ForecastOptions) {
  const { config, recipe, place, model, linears, blocks, methodBytes, changedBytes, work } = options
  const { calibration, samples, compat, cache } = config
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
  const embeddings = frozen.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
  const packed = quantizedBytes(linears) + changedBytes
  const sizes = { checkpointBytes: packed, outputBytes: packed }
  const time = Effect.gen(function* () {
    const records = yield* dataExtent(calibration, compat, recipe)
    const found = yield* stageTime(yield* work(sequencesOf(extent, records)), {
      ...{ ...sizes, recipe, place, model, steps: blocks.length }
    })
    return { ...found, lines: [...Option.toArray(Option.map(records, extentLine)), ...found.lines] }
  })
  const looked = tiles > 0 && missing.length === 0 ? yield* dataExtent(calibration, compat, recipe) : Option.none()
  const pictureless = Option.exists(looked, ({ whole, records }) => whole && records.every((each) => each.tiles === 0))
  const inMemory = Math.min(tiles, Number(cache))
  return Forecast.make({
    obstacles: [
      ...model.obstacles,
      ...missing,
      ...(data?.obstacles ?? []),
      ...(pictureless ? [{ issue: noPictures(calibration.meta) }] : []),
      ...(yield* disagreements(model.config, place))
    ],
    // The sequences before and after a layer, and as they were collected.
    memoryBytes: model.loadedBytes + embeddings + packed + Math.max(inMemory, 3 * hidden) + methodBytes,
    ...sizes,
    scratchBytes: tiles - inMemory,
    time,
    lines: [...ruleLines(linears, place), ...(data?.lines ?? [])]
  })
})
