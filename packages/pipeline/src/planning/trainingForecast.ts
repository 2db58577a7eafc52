/** What a training stage will take: samples, steps, memory and time, from config and meta file. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { sizeOf } from "@speedq/tensors"
import { type ModelConfig, modelTensors, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Forecast from "../Forecast.ts"
import { formatBytes } from "../format.ts"
import { embeddingName, headName } from "../model/plannedLayers.ts"
import type { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { callsPerLayer, languageFlops, languageLayerFloats, linearWeights, secondsFor, visionFlops } from "./cost.ts"
import type { PlannedModel } from "./plannedModel.ts"

export interface TrainingForecastOptions {
  readonly model: PlannedModel
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
  /** Which parameters are trained, by name. */
  readonly trains: (name: string) => boolean
  /** Whether the decoder's Linears are fake-quantized, and a teacher runs beside the student. */
  readonly fakeQuantized: boolean
  readonly teacher: boolean
  readonly lines: readonly string[]
}

const Meta = Schema.Record(
  Schema.String,
  Schema.Struct({
    annotation: Schema.String,
    repeat_time: Schema.optionalKey(Schema.Number),
    length: Schema.optionalKey(Schema.Number)
  })
)
const decodeMeta = Schema.decodeUnknownSync(Schema.fromJsonString(Meta))

/** Samples that a mixture selects by the lengths that its meta file states; undefined where one does not. */
const selectedSamples = (meta: typeof Meta.Type, percent: number): number | undefined => {
  const lengths = Object.values(meta).map(({ length, repeat_time = 1 }) =>
    length === undefined ? undefined : Math.floor((length * (percent === 0 ? 100 : percent)) / 100) * repeat_time
  )
  return lengths.some((length) => length === undefined)
    ? undefined
    : lengths.reduce<number>((sum, length) => sum + Math.floor(length!), 0)
}

/** Text tokens that a typical conversation is taken to have, and how many of them are answers. */
const typicalText = 256
const typicalAnswer = 96
const logitChunks = 3 * 64 * 2 ** 20

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

const memoryOf = (options: TrainingForecastOptions, samples: number): number => {
  const { model, data, optimization, trains, fakeQuantized } = options
  const { config, weightBytes } = model
  const trained = parametersOf(config, trains)
  const embeddings = parametersOf(config, (name) => name === embeddingName || name === headName)
  const tokens = optimization.batch * sequenceTokens(config, data)
  const layers = config.llm_config.num_hidden_layers
  const inner = tokens * languageLayerFloats(config)
  const kept = optimization.rematerialize ? inner + layers * tokens * config.llm_config.hidden_size : layers * inner
  const quantized = fakeQuantized ? linearWeights(config, "language") / (optimization.rematerialize ? layers : 1) : 0
  // Parameters, gradients and two moments; frozen embeddings in f32.
  const floats = 4 * trained + embeddings + kept + quantized
  return weightBytes + 4 * floats + logitChunks + featureBytes(options, samples)
}

const secondsOf = ({ model, data, optimization, teacher }: TrainingForecastOptions, samples: number): number => {
  const { config } = model
  const tokens = sequenceTokens(config, data)
  const forward = languageFlops(config, tokens, typicalAnswer)
  const passes = 3 + (optimization.rematerialize ? 1 : 0) + (teacher ? 1 : 0)
  const towers = teacher ? 2 : 1
  const flops = samples * (passes * forward + towers * tilesOf(data) * visionFlops(config))
  const layers = passes * config.llm_config.num_hidden_layers + towers * config.vision_config.num_hidden_layers
  return secondsFor(flops, (samples / optimization.batch) * layers * callsPerLayer)
}

/** The forecast of a stage that trains. */
export const trainingForecast = Effect.fnUntraced(function* (options: TrainingForecastOptions) {
  const { model, data, optimization, trains } = options
  const missing = yield* Forecast.missingFiles([data.meta], "give the meta file of the training data")
  const trained = parametersOf(model.config, trains)
  const bytesFor = (samples = Number.POSITIVE_INFINITY) => ({
    memoryBytes: memoryOf(options, samples),
    checkpointBytes: 12 * trained,
    outputBytes: 4 * trained
  })
  const tokens = sequenceTokens(model.config, data)
  const lines = [...options.lines, `memory is for sequences of ${tokens} tokens; longer ones take more`]
  if (missing.length > 0) return Forecast.make({ obstacles: [...model.obstacles, ...missing], ...bytesFor(), lines })

  const meta = decodeMeta(readFileSync(data.meta, "utf8"))
  const absent = Object.values(meta)
    .map(({ annotation }) => resolve(dirname(data.meta), annotation))
    .filter((file) => !existsSync(file))
  const obstacles = absent.map((file) => ({
    issue: `${file}, named in ${data.meta}, does not exist`,
    fix: "get the data set, or take it out of the meta file"
  }))
  const selected = selectedSamples(meta, data.percent)
  const perStep = optimization.batch * optimization.accumulation
  const most = optimization.maxSteps === undefined ? Number.POSITIVE_INFINITY : optimization.maxSteps * perStep
  const samples = selected === undefined ? undefined : Math.min(most, selected * optimization.epochs)
  return Forecast.make({
    obstacles: [...model.obstacles, ...obstacles],
    ...bytesFor(samples),
    seconds: samples === undefined ? undefined : secondsOf(options, samples),
    lines: [
      ...lines,
      samples === undefined
        ? `${Object.keys(meta).length} data sets, not all of which state their length`
        : `${samples} samples of ${Object.keys(meta).length} data sets in ${Math.ceil(samples / perStep)} steps of ${perStep}; saved states of ${formatBytes(12 * trained)}`
    ]
  })
})
