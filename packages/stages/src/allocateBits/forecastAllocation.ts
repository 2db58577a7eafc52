/** What the allocation of bits takes, and whether its budget can be kept. */
import { Forecast, formatBytes, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { blocksUsed, linearLayers, type ModelConfig, tileSize } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { meanOf } from "../calibration/extent.ts"
import { decoderPiece, headPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import { type ChosenMatrix, fakeQuantizationPiece, weightsOf } from "../measuring/weightPieces.ts"
import { keptBytes, languageLayerFlops, projectorFlops, visionBlockFlops, visionTokens } from "../planning/cost.ts"
import { type DataExtent, dataExtent, extentLine } from "../planning/dataExtent.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { mixtureForecast } from "../planning/mixtureForecast.ts"
import { type PlannedModel, planModel } from "../planning/plannedModel.ts"
import { stageTime } from "../planning/stageTime.ts"
import { typicalExtent } from "../planning/trainingForecast.ts"
import type { AllocateBitsConfig } from "./AllocateBitsConfig.ts"
import { bitsText, budgetObstacles, budgetWarnings, roomOf } from "./allocation.ts"
import { planUnits, type Unit } from "./units.ts"

type Record = DataExtent["records"][number]

/** Blocks of tower and decoder that a pass from `position` on takes. */
const blocksAfter = (config: ModelConfig, position: number) => {
  const [tower, layers] = [blocksUsed(config), config.llm_config.num_hidden_layers]
  return { tower: Math.max(0, tower - position), decoder: layers - Math.max(0, position - tower) }
}

/** Operations of a record in tower and decoder, from `position` on. */
const passFlops = (config: ModelConfig, { tiles, tokens }: Record, position: number) => {
  const blocks = blocksAfter(config, position)
  return {
    tower: blocks.tower * tiles * visionBlockFlops(config),
    decoder:
      blocks.decoder * languageLayerFlops(config, tokens) + (blocks.tower > 0 ? projectorFlops(config, tiles) : 0)
  }
}

/** Matrices of the units with one of their candidates. */
const matricesOf = (units: readonly Unit[], candidate: number, shapes: ReadonlyMap<string, ChosenMatrix["shape"]>) =>
  units.flatMap(({ candidates }) =>
    [...candidates[candidate]!.choices].map(
      ([layer, choice]): ChosenMatrix => ({
        layer,
        shape: shapes.get(layer)!,
        choice
      })
    )
  )

interface MeasuringWork {
  readonly model: PlannedModel
  readonly units: readonly Unit[]
  readonly extent: DataExtent
  readonly records: number
}

/**
 * Seconds of all passes: each record once to the end and once through all blocks, and for every unit that runs and each candidate
 * from its block to the end, where its answers pass two heads; and of rounding all weights with each candidate.
 */
const measuringSeconds = Effect.fnUntraced(function* ({ model, units, extent, records }: MeasuringWork) {
  const { config, stored } = model
  const { records: like } = extent
  const mean = meanOf(like)
  const tokens = Math.max(1, Math.round(mean((record) => record.tokens)))
  const answers = Math.max(1, Math.round(mean((record) => record.answers)))
  const shapes = linearLayers(config)
  const rounded = [...units[0]!.candidates.keys()].map((at) => matricesOf(units, at, shapes))
  const measured = yield* measureSpeeds<string>({
    tower: mean(({ tiles }) => tiles) > 0 ? visionPiece(config, { tiles: 1, stored, trained: false }) : undefined,
    decoder: decoderPiece(config, { batch: 1, tokens, stored, learns: "nothing" }),
    head: headPiece(config, Math.min(32, answers), stored),
    ...Object.fromEntries(rounded.map((matrices, at) => [`rounding ${at}`, fakeQuantizationPiece(matrices, false)]))
  })
  return Option.map(measured, ({ seconds, notes }) => {
    const pass = (position: number): number =>
      mean((record) => {
        const { tower, decoder } = passFlops(config, record, position)
        return tower * seconds.tower! + decoder * seconds.decoder!
      })
    const heads = 2 * mean((record) => record.answers) * config.llm_config.vocab_size * seconds.head!
    const measuring = units.reduce(
      (sum, { position, candidates }) =>
        position === undefined ? sum : sum + candidates.length * (pass(position) + heads),
      0
    )
    const rounding = rounded.reduce((sum, matrices, at) => sum + weightsOf(matrices) * seconds[`rounding ${at}`]!, 0)
    return { seconds: records * (2 * pass(0) + measuring) + rounding, notes }
  })
})

/**
 * Hidden states of the records before a block and after the last one, a pass of one of them, and the weights of a unit in f32; and their
 * pictures, which are no tensors.
 */
const memoryOf = ({ model, units, extent, records }: MeasuringWork) => {
  const { config, loadedBytes, weightBytes } = model
  const largest = (each: (record: Record) => number): number => Math.max(...extent.records.map(each))
  const tiles = largest((record) => record.tiles)
  const tokens = largest((record) => record.tokens)
  const states = 4 * tokens * config.llm_config.hidden_size
  const inTower = 4 * tiles * visionTokens(config) * config.vision_config.hidden_size
  const pixels = 12 * tiles * tileSize(config) ** 2
  const passing =
    keptBytes(config, { tokens, fakeQuantized: false, rematerialize: true }) +
    4 * tiles * visionTokens(config) * (4 * config.vision_config.hidden_size + config.vision_config.intermediate_size)
  const rounded = 8 * Math.max(...units.map(({ weights }) => weights))
  const tensors = records * (states + Math.max(states, inTower)) + passing + rounded
  const matrices = units.flatMap(({ candidates }) => [...candidates[0]!.choices.keys()].map((layer) => ({ layer })))
  return {
    memoryBytes: loadedBytes + records * pixels + tensors,
    tensorBytes: weightBytes + tensors,
    largest: largestTensor(model, { widened: matrices, tokens, tiles })
  }
}

export const forecastAllocation = Effect.fnUntraced(function* (
  config: AllocateBitsConfig,
  recipe: RecipeSettings,
  place: Stage.PlaceInRecipe
) {
  const model = yield* planModel(recipe)
  const units = yield* planUnits(model.config, config)
  const room = roomOf(units, config.budget)
  const missing = yield* Forecast.missingFiles([config.data.meta], "give the meta file of the records")
  const mixture = missing.length > 0 ? undefined : yield* mixtureForecast(config.data, config.compat, recipe, "data")
  const records = Math.min(config.records, mixture?.selected ?? config.records)
  const found = yield* dataExtent(config.data, config.compat, recipe)
  const extent = Option.getOrElse(found, () => typicalExtent(model.config, config.data, records))
  const work: MeasuringWork = { model, units, extent, records }
  const sizes = { checkpointBytes: 0, outputBytes: 0 }
  return Forecast.make({
    obstacles: [...model.obstacles, ...missing, ...(mixture?.obstacles ?? []), ...budgetObstacles(room)],
    ...memoryOf(work),
    ...sizes,
    time: Effect.flatMap(measuringSeconds(work), (seconds) =>
      stageTime(seconds, { ...sizes, recipe, place, model, steps: units.length })
    ),
    lines: [
      `${units.length} ${config.unit}s, ${config.candidates.length} candidates each, measured on ${records} records`,
      `the budget: ${bitsText(room.budget, room.weights)}; the candidates take from ${bitsText(room.least, room.weights)} to ${bitsText(room.most, room.weights)}`,
      `sizes and layers of a plan are by the rules of later stages: the choice is known once it is measured, and takes ${formatBytes(Math.min(room.budget, room.most) / 8)} at most`,
      ...budgetWarnings(room),
      ...(mixture?.lines ?? []),
      ...Option.toArray(Option.map(found, extentLine))
    ]
  })
})
