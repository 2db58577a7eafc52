/** What a training stage will take: samples, steps, memory and time, from config and meta file. */

import type { RowLoss } from "@speedq/distillation"
import { layerOf, parameterOf } from "@speedq/formats"
import {
  Forecast,
  formatBytes,
  type MemoryBudget,
  processBytes,
  type RecipeSettings,
  type Stage,
  stageSeed,
  TensorMemory,
  tensorBudget
} from "@speedq/pipeline"
import { learnedGrid, storedBytes } from "@speedq/quantizers"
import { momentBytes, momentFormats, sizeOf } from "@speedq/tensors"
import { decoderLayerName, type ModelConfig, modelTensors, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { recordExtent } from "../calibration/extent.ts"
import { stepsPerEpoch } from "../data/SampleOrder.ts"
import { type ChosenMatrix, weightsOf } from "../measuring/weightPieces.ts"
import { trainedNumbers, trainedShapes } from "../training/learnedGrids.ts"
import { rowsOfCodes } from "../training/student.ts"
import type { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { dropPathOf, dropsLastStep } from "../training/TrainingConfig.ts"
import { matricesInFile } from "../training/teacherWeights.ts"
import { tilesTogether } from "../training/VisionFeatures.ts"
import { keptBytes, keptTowerBytes, visionTokens } from "./cost.ts"
import { type DataExtent, dataExtent, extentLine } from "./dataExtent.ts"
import { featureLines, featureObstacles } from "./featureForecast.ts"
import { largestTensor } from "./largestTensor.ts"
import { mixtureForecast, nothingToLearnFrom } from "./mixtureForecast.ts"
import type { PlannedModel } from "./plannedModel.ts"
import { stageTime } from "./stageTime.ts"
import { trainingSeconds } from "./trainingSeconds.ts"

interface TrainingForecastOptions {
  readonly recipe: RecipeSettings
  readonly model: PlannedModel
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
  /** Which parameters are trained, by name. */
  readonly trains: (name: string) => boolean
  /** Whether the decoder's Linears are fake-quantized, and a teacher runs beside the student. */
  readonly fakeQuantized: boolean
  readonly teacher: boolean
  /** Where the teacher's decoder layers are between uses. */
  readonly teacherWeights: "memory" | "file"
  /** Losses, and micro-batches that the teacher's confidence is measured on. */
  readonly losses: readonly RowLoss[]
  readonly measured: number
  /** Matrices that are quantized whenever they are read, and those that are once. */
  readonly quantized: readonly ChosenMatrix[]
  readonly frozen: readonly ChosenMatrix[]
  /** Those whose grids are learned. */
  readonly learned: readonly ChosenMatrix[]
  /** Whether teacher and student see pictures by one tower. */
  readonly sharedTower: boolean
  readonly place: Stage.PlaceInRecipe
  /** A teacher that is not the model itself. */
  readonly otherTeacher?: PlannedModel | undefined
  readonly lines: readonly string[]
}

/** The same on the backend that is planned for: how many tiles it sees together. */
interface PlacedOptions extends TrainingForecastOptions {
  readonly together: number
}

/** Text tokens that a conversation is taken to have where none can be looked at, and how many of them are answers. */
const typicalText = 256
const typicalAnswer = 96

/** A sample with one picture of the most tiles. */
const sampleOf = (config: ModelConfig, data: DataConfig) => recordExtent(data, tokensPerTile(config), typicalText)

const isLayer = (name: string): boolean => name.startsWith(`${decoderLayerName(0)}.`)

const parametersOf = (config: ModelConfig, select: (name: string) => boolean): number =>
  [...modelTensors(config)].reduce((sum, [name, shape]) => (select(name) ? sum + sizeOf(shape) : sum), 0)

/** Numbers that are trained of grids. */
const gridNumbers = (learned: readonly ChosenMatrix[]): number =>
  learned.reduce((sum, { shape, choice }) => sum + trainedNumbers(shape, learnedGrid(choice)!), 0)

/** Features of the vision tower that are kept: all of them, or what the budget holds. */
const featureBytes = ({ model: { config }, data, optimization }: TrainingForecastOptions, samples: number): number => {
  const bytes = 16 * tokensPerTile(config) * config.vision_config.hidden_size
  return Math.min(Number(optimization.featureCache), samples * sampleOf(config, data).tiles * bytes)
}

/** Bytes of the teacher's matrices that are in its file alone, but for those of one layer; and of the model's own. */
const bytesInFile = (options: TrainingForecastOptions): number => {
  const { model, otherTeacher, trains, teacherWeights } = options
  if (teacherWeights === "memory") return 0
  const quantizedOnce = new Set(options.frozen.map(({ layer }) => parameterOf(layer)))
  const inFile = ({ config, stored }: Pick<PlannedModel, "config" | "stored">, select: (name: string) => boolean) => {
    const shapes = modelTensors(config)
    const numbers = matricesInFile(config).reduce(
      (sum, name) => sum + (select(name) ? sizeOf(shapes.get(name)!) : 0),
      0
    )
    return (stored === "f32" ? 4 : 2) * numbers
  }
  const own = inFile(model, (name) => trains(name) || quantizedOnce.has(name))
  const its = otherTeacher === undefined ? own : inFile(otherTeacher, () => true)
  const { num_hidden_layers: layers } = (otherTeacher ?? model).config.llm_config
  return Math.floor(its * (1 - 1 / layers)) + (otherTeacher === undefined ? 0 : own)
}

const trainsTower = ({ model: { config }, trains }: TrainingForecastOptions): boolean =>
  parametersOf(config, (name) => trains(name) && name.startsWith("vision_model.")) > 0

/** Bytes of both moments of the largest parameter in f32, while a step of the optimizer computes with them. */
const widenedBytes = ({ model: { config }, trains, optimization }: TrainingForecastOptions): number => {
  if (optimization.optimizerStates === "f32") return 0
  return [...modelTensors(config)].reduce(
    (most, [name, shape]) => (trains(name) ? Math.max(most, 8 * sizeOf(shape)) : most),
    0
  )
}

/** Bytes that a saved state has for each trained number: itself, and two moments. */
const savedBytes = ({ optimization: { optimizerStates } }: TrainingForecastOptions): number =>
  4 + 2 * momentBytes[optimizerStates]

/** Tiles that pass a frozen tower together. */
const passingTiles = (options: PlacedOptions): number =>
  Math.min(options.together, options.optimization.batch * sampleOf(options.model.config, options.data).tiles)

/** Bytes of tiles on their way through a frozen tower, before anything is kept for a backward pass: of one tile, next to nothing. */
const passingBytes = (options: PlacedOptions): number => {
  const { config } = options.model
  const { hidden_size, intermediate_size } = config.vision_config
  const tiles = passingTiles(options)
  return tiles < 2 ? 0 : 4 * tiles * visionTokens(config) * (8 * hidden_size + intermediate_size)
}

/** With every inner value of the decoder kept, and with all computed again. */
const memoryOf = (options: PlacedOptions, samples: number) => {
  const { model, data, optimization, trains, fakeQuantized } = options
  const { config, loadedBytes } = model
  const frozen = new Map(
    options.frozen.filter(({ layer }) => !trains(parameterOf(layer))).map((each) => [each.layer, each])
  )
  const packed = rowsOfCodes(config, new Map([...frozen.values()].map(({ layer, choice }) => [layer, choice])))
  const embeddings = parametersOf(config, (name) => frozen.has(layerOf(name)) && !packed.has(layerOf(name)))
  const codes = [...packed].reduce((sum, [layer, choice]) => sum + storedBytes(choice, frozen.get(layer)!.shape), 0)
  const sample = sampleOf(config, data)
  const tokens = optimization.batch * sample.tokens
  const tower = trainsTower(options) ? keptTowerBytes(config, optimization.batch * sample.tiles) : 0
  const grids = gridNumbers(options.learned)
  // Parameters and gradients, those of a shard beside the sum of those before it; a frozen head in f32. Of a grid the backward pass needs
  // three numbers a group.
  const copies = optimization.shards > 1 ? 3 : 2
  // A step that begins from rounded parameters has them beside the learner's.
  const rounded = optimization.shardParameters === "bf16" ? 1 : 0
  const floats = (copies + rounded) * parametersOf(config, trains) + embeddings + (copies + 1.5) * grids
  const moments = 2 * momentBytes[optimization.optimizerStates] * (parametersOf(config, trains) + grids)
  const stays =
    loadedBytes -
    bytesInFile(options) +
    (options.otherTeacher?.weightBytes ?? 0) +
    4 * floats +
    codes +
    moments +
    tower +
    featureBytes(options, samples)
  const withKept = (rematerialize: boolean) =>
    stays +
    Math.max(keptBytes(config, { tokens, fakeQuantized, rematerialize }), widenedBytes(options), passingBytes(options))
  return {
    keeping: withKept(false),
    rematerializing: withKept(true),
    hostBytes: processBytes + featureBytes(options, samples)
  }
}

/** Options that take less memory, beginning with the one that changes no number: the teacher in its file, moments in fewer bits. */
const smallerWays = ({ optimization, teacher, trains, model, teacherWeights }: PlacedOptions) => {
  const fewer = momentFormats
    .filter((format) => momentBytes[format] < momentBytes[optimization.optimizerStates])
    .map((optimizerStates) => ({ optimizerStates }))
  const mayRead = teacher && teacherWeights === "memory" && matricesInFile(model.config).some(trains)
  const inFile = { teacherWeights: "file" as const }
  return mayRead ? [inFile, ...fewer, ...fewer.map((states) => ({ ...inFile, ...states }))] : fewer
}

/** What is said of a stage that does not fit, where it would with other options. */
const smallerWay = (options: PlacedOptions, samples: number, limit: number): readonly string[] => {
  const memoryWith = (way: ReturnType<typeof smallerWays>[number]) =>
    memoryOf({ ...options, ...way, optimization: { ...options.optimization, ...way } }, samples).rematerializing
  const way = smallerWays(options).find((each) => memoryWith(each) <= limit)
  if (way === undefined) return []
  const named = Object.entries(way).map(([name, value]) => `${name} "${value}"`)
  return [`it would fit with ${named.join(", ")} and decoder layers recomputed: ${formatBytes(memoryWith(way))}`]
}

/** What is said of a teacher that is in its file alone. */
const fileLines = (options: TrainingForecastOptions): readonly string[] => {
  const bytes = bytesInFile(options)
  return bytes === 0 || !options.teacher
    ? []
    : [`reads the teacher's decoder from its file for every micro-batch: ${formatBytes(bytes)} less in memory`]
}

/** What stages will do about the decoder's inner values, the memory that it takes, and how to say it. */
const decideMemory = (options: PlacedOptions, samples: number, { bytes, apart }: MemoryBudget) => {
  const { rematerialize: wanted } = options.optimization
  const { keeping, rematerializing, hostBytes } = memoryOf(options, samples)
  // Where tensors have a memory of their own, the rest is not in it; what of it is not known is not counted on.
  const limit = apart ? hostBytes + (bytes ?? Number.NEGATIVE_INFINITY) : (bytes ?? 0)
  const rematerialize = wanted === "auto" ? keeping > limit : wanted
  const memoryBytes = rematerialize ? rematerializing : keeping
  const other = formatBytes(rematerialize ? keeping : rematerializing)
  const smaller = memoryBytes > limit ? smallerWay(options, samples, limit) : []
  const unknown = wanted === "auto" && bytes === undefined ? ", and how much there is on the device is not known" : ""
  const line = rematerialize
    ? `recomputes decoder layers in the backward pass; keeping their inner values would take ${other}${unknown}`
    : `keeps the inner values of decoder layers; recomputing them would take ${other}`
  const lines = [line, ...fileLines(options), ...smaller]
  return { rematerialize, memoryBytes, tensorBytes: memoryBytes - hostBytes, lines }
}

/** Records like the typical one, where those of the data cannot be looked at. */
export const typicalExtent = (config: ModelConfig, data: DataConfig, count: number): DataExtent => {
  const record = { kind: "image" as const, ...sampleOf(config, data), answers: typicalAnswer }
  return { count, records: [record], whole: false, looked: 0, distinct: 1 }
}

/** How long the stage takes, what it is said by, and what is told of it. */
const timeOf = Effect.fnUntraced(function* (
  options: TrainingForecastOptions,
  parts: { readonly rematerialize: boolean; readonly checkpointBytes: number; readonly outputBytes: number },
  { selected, samples, steps }: { readonly selected: number; readonly samples: number; readonly steps: number }
) {
  const { recipe, model, data, optimization, trains, place } = options
  const { config, stored } = model
  const found = yield* dataExtent(data, optimization.compat, recipe)
  const extent = Option.getOrElse(found, () => typicalExtent(config, data, selected))
  const weights = [...modelTensors(config)].flatMap(([name, shape]) => (trains(name) ? [shape] : []))
  const trained = [
    ...weights,
    ...options.learned.flatMap(({ shape, choice }) => trainedShapes(shape, learnedGrid(choice)!))
  ]
  const decoder = [...modelTensors(config).keys()].some((name) => trains(name) && isLayer(name))
  const work = yield* trainingSeconds({
    ...{ recipe, config, stored, extent, optimization, samples, steps, trained, trainsDecoder: decoder },
    seed: stageSeed(recipe.seed, place.label),
    rematerialize: parts.rematerialize,
    losses: options.losses,
    teacher: options.teacher,
    measured: Math.min(options.measured, Math.ceil(samples / optimization.batch)),
    sharedTower: options.sharedTower,
    trainsTower: trainsTower(options),
    dropPath: dropPathOf(optimization),
    quantized: options.quantized,
    learnsGrids: options.learned.length > 0,
    frozen: options.frozen
  })
  const told = Option.match(found, {
    onNone: () => {
      const { tiles, tokens } = sampleOf(config, data)
      return `the time is for samples of ${tiles} tiles and ${tokens} tokens`
    },
    onSome: extentLine
  })
  const sharesOrTrains =
    trainsTower(options) || dropPathOf(optimization) > 0 || (options.teacher && options.sharedTower)
  const towers = Number(options.teacher) + Number(!sharesOrTrains)
  const kept = yield* featureLines({ config, extent, samples, towers, recipe })
  const { seconds, lines } = yield* stageTime(work, { ...parts, recipe, place, model, steps })
  return { seconds, lines: [told, ...kept, ...lines] }
})

/** The forecast of a stage that trains. */
export const trainingForecast = Effect.fnUntraced(function* (given: TrainingForecastOptions) {
  const onDevice = (yield* yield* TensorMemory) !== undefined
  const options: PlacedOptions = { ...given, together: tilesTogether({ kind: onDevice ? "gpujs" : "native" }) }
  const { recipe, model, data, optimization, trains } = options
  const missing = [
    ...(yield* featureObstacles(recipe)),
    ...(options.otherTeacher?.obstacles ?? []),
    ...(yield* Forecast.missingFiles([data.meta], "give the meta file of the training data"))
  ]
  const grids = gridNumbers(options.learned)
  const trained = parametersOf(model.config, trains) + grids
  // Weights whose grids were learned are given in packed form.
  const packed = options.learned.reduce((sum, { shape, choice }) => sum + storedBytes(choice, shape), 0)
  const outputBytes = 4 * (trained - grids - weightsOf(options.learned)) + packed
  const budget = yield* tensorBudget(recipe)
  const { tokens, tiles } = sampleOf(model.config, data)
  const codes = rowsOfCodes(model.config, new Map(options.frozen.map(({ layer, choice }) => [layer, choice])))
  const largest = largestTensor(model, {
    widened: [
      ...options.frozen.filter(({ layer }) => !codes.has(layer)),
      ...options.quantized,
      ...[...modelTensors(model.config).keys()].flatMap((name) => (trains(name) ? [{ layer: layerOf(name) }] : []))
    ],
    tokens: optimization.batch * tokens,
    tiles: trainsTower(options) ? optimization.batch * tiles : passingTiles(options)
  })
  const partsFor = (samples: number) => {
    const { rematerialize, lines: decided, ...memory } = decideMemory(options, samples, budget)
    const lines = [...options.lines, `memory is for sequences of ${tokens} tokens; longer ones take more`, ...decided]
    const checkpointBytes = savedBytes(options) * trained
    return { rematerialize, parts: { ...memory, largest, checkpointBytes, outputBytes, lines } }
  }
  if (missing.length > 0) {
    const { parts } = partsFor(Number.POSITIVE_INFINITY)
    return Forecast.make({ ...parts, obstacles: [...model.obstacles, ...missing] })
  }

  const mixture = yield* mixtureForecast(data, optimization.compat, recipe, "data")
  const { selected } = mixture
  const perStep = optimization.batch * optimization.accumulation
  const most = optimization.maxSteps === undefined ? Number.POSITIVE_INFINITY : optimization.maxSteps * perStep
  const { batch, accumulation, epochs } = optimization
  const perEpoch = (count: number): number =>
    Math.min(count, perStep * stepsPerEpoch({ count, batch, accumulation, dropsLast: dropsLastStep(optimization) }))
  const samples = selected === undefined ? undefined : Math.min(most, perEpoch(selected) * epochs)
  const { rematerialize, parts } = partsFor(samples ?? Number.POSITIVE_INFINITY)
  const amounts = { selected: selected ?? 0, samples: samples ?? 0, steps: Math.ceil((samples ?? 0) / perStep) }
  return Forecast.make({
    ...parts,
    obstacles: [...model.obstacles, ...mixture.obstacles, ...nothingToLearnFrom(data.meta, mixture)],
    ...(amounts.samples === 0 ? {} : { time: timeOf(options, { ...parts, rematerialize }, amounts) }),
    lines: [
      ...parts.lines,
      ...mixture.lines,
      samples === undefined
        ? `${mixture.datasets} data sets, not all of which are there or state their length`
        : `${samples} samples of ${mixture.datasets} data sets in ${Math.ceil(samples / perStep)} steps of ${perStep}; saved states of ${formatBytes(savedBytes(options) * trained)}`
    ]
  })
})
