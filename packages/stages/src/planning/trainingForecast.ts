/** What a training stage will take: samples, steps, memory and time, from config and meta file. */
import { layerOf } from "@speedq/formats"
import { Forecast, formatBytes, memoryLimit, type RecipeSettings } from "@speedq/pipeline"
import { sizeOf } from "@speedq/tensors"
import { embeddingAndHead, type ModelConfig, modelTensors, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { stepsPerEpoch } from "../data/SampleOrder.ts"
import type { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { callsPerLayer, keptBytes, keptTowerBytes, languageFlops, secondsFor, visionFlops } from "./cost.ts"
import { mixtureForecast } from "./mixtureForecast.ts"
import type { PlannedModel } from "./plannedModel.ts"

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
  /** A teacher that is not the model itself. */
  readonly otherTeacher?: PlannedModel | undefined
  readonly lines: readonly string[]
}

/** Text tokens that a typical conversation is taken to have, and how many of them are answers. */
const typicalText = 256
const typicalAnswer = 96

/** Tiles of a typical picture. */
const tilesOf = ({ maxTiles }: DataConfig): number => maxTiles + (maxTiles > 1 ? 1 : 0)

/** Tokens of a sequence with one picture of the most tiles. */
const sequenceTokens = (config: ModelConfig, data: DataConfig): number =>
  Math.min(data.maxLength, tilesOf(data) * tokensPerTile(config) + typicalText)

const parametersOf = (config: ModelConfig, select: (name: string) => boolean): number =>
  [...modelTensors(config)].reduce((sum, [name, shape]) => (select(name) ? sum + sizeOf(shape) : sum), 0)

/** Features of the vision tower that are kept: all of them, or what the budget holds. */
const featureBytes = ({ model: { config }, data, optimization }: TrainingForecastOptions, samples: number): number => {
  const bytes = 16 * tokensPerTile(config) * config.vision_config.hidden_size
  return Math.min(Number(optimization.featureCache), samples * tilesOf(data) * bytes)
}

const trainsTower = ({ model: { config }, trains }: TrainingForecastOptions): boolean =>
  parametersOf(config, (name) => trains(name) && name.startsWith("vision_model.")) > 0

/** With every inner value of the decoder kept, and with all computed again. */
const memoryOf = (options: TrainingForecastOptions, samples: number) => {
  const { model, data, optimization, trains, fakeQuantized } = options
  const { config, loadedBytes } = model
  const matrices = embeddingAndHead(config.llm_config)
  const embeddings = parametersOf(config, (name) => matrices.includes(layerOf(name)))
  const tokens = optimization.batch * sequenceTokens(config, data)
  const tower = trainsTower(options) ? keptTowerBytes(config, optimization.batch * tilesOf(data)) : 0
  // Parameters, gradients and two moments; frozen embeddings in f32.
  const floats = 4 * parametersOf(config, trains) + embeddings
  const stays =
    loadedBytes + (options.otherTeacher?.weightBytes ?? 0) + 4 * floats + tower + featureBytes(options, samples)
  const withKept = (rematerialize: boolean) => stays + keptBytes(config, { tokens, fakeQuantized, rematerialize })
  return { keeping: withKept(false), rematerializing: withKept(true) }
}

/** What stages will do about the decoder's inner values, the memory that it takes, and how to say it. */
const decideMemory = (options: TrainingForecastOptions, samples: number, limit: number) => {
  const { rematerialize: wanted } = options.optimization
  const { keeping, rematerializing } = memoryOf(options, samples)
  const rematerialize = wanted === "auto" ? keeping > limit : wanted
  const memoryBytes = rematerialize ? rematerializing : keeping
  const other = formatBytes(rematerialize ? keeping : rematerializing)
  const line = rematerialize
    ? `recomputes decoder layers in the backward pass; keeping their inner values would take ${other}`
    : `keeps the inner values of decoder layers; recomputing them would take ${other}`
  return { rematerialize, memoryBytes, line }
}

const secondsOf = (
  { model, data, optimization, teacher }: TrainingForecastOptions,
  samples: number,
  rematerialize: boolean
): Effect.Effect<number | undefined> => {
  const { config } = model
  const tokens = sequenceTokens(config, data)
  const forward = languageFlops(config, tokens, typicalAnswer)
  const passes = 3 + (rematerialize ? 1 : 0) + (teacher ? 1 : 0)
  const towers = teacher ? 2 : 1
  const flops = samples * (passes * forward + towers * tilesOf(data) * visionFlops(config))
  const layers = passes * config.llm_config.num_hidden_layers + towers * config.vision_config.num_hidden_layers
  return secondsFor(flops, (samples / optimization.batch) * layers * callsPerLayer)
}

/** The forecast of a stage that trains. */
export const trainingForecast = Effect.fnUntraced(function* (options: TrainingForecastOptions) {
  const { recipe, model, data, optimization, trains } = options
  const missing = [
    ...(options.otherTeacher?.obstacles ?? []),
    ...(yield* Forecast.missingFiles([data.meta], "give the meta file of the training data"))
  ]
  const trained = parametersOf(model.config, trains)
  const limit = yield* memoryLimit(recipe)
  const tokens = sequenceTokens(model.config, data)
  const partsFor = (samples: number) => {
    const { rematerialize, memoryBytes, line } = decideMemory(options, samples, limit)
    const lines = [...options.lines, `memory is for sequences of ${tokens} tokens; longer ones take more`, line]
    return { rematerialize, parts: { memoryBytes, checkpointBytes: 12 * trained, outputBytes: 4 * trained, lines } }
  }
  if (missing.length > 0) {
    const { parts } = partsFor(Number.POSITIVE_INFINITY)
    return Forecast.make({ ...parts, obstacles: [...model.obstacles, ...missing] })
  }

  const mixture = yield* mixtureForecast(data, optimization.compat, recipe)
  const { selected } = mixture
  const perStep = optimization.batch * optimization.accumulation
  const most = optimization.maxSteps === undefined ? Number.POSITIVE_INFINITY : optimization.maxSteps * perStep
  const { batch, accumulation, epochs, lastStep } = optimization
  const perEpoch = (count: number): number =>
    Math.min(count, perStep * stepsPerEpoch({ count, batch, accumulation, dropsLast: lastStep === "drop" }))
  const samples = selected === undefined ? undefined : Math.min(most, perEpoch(selected) * epochs)
  const { rematerialize, parts } = partsFor(samples ?? Number.POSITIVE_INFINITY)
  return Forecast.make({
    ...parts,
    obstacles: [...model.obstacles, ...mixture.obstacles],
    seconds: samples === undefined ? undefined : yield* secondsOf(options, samples, rematerialize),
    lines: [
      ...parts.lines,
      ...mixture.lines,
      samples === undefined
        ? `${mixture.datasets} data sets, not all of which are there or state their length`
        : `${samples} samples of ${mixture.datasets} data sets in ${Math.ceil(samples / perStep)} steps of ${perStep}; saved states of ${formatBytes(12 * trained)}`
    ]
  })
})
