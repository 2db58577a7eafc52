/** Writes a model directory of real shapes with seeded random weights, for trying a machine. */
import { basename, join, relative } from "node:path"
import { AtomicFile, readBytes, readText, Safetensors, Staging } from "@speedq/formats"
import { CurrentStage, emit, monotonicMillis, RunEvents } from "@speedq/pipeline"
import {
  decodeModelConfig,
  imagenetStatistics,
  type ModelConfig,
  modelTensors,
  parameterCount,
  tileSize
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { requireEmpty } from "../models/requireEmpty.ts"
import { writeByteTokenizer } from "./byteTokenizer.ts"
import { type Preset, type PresetName, presets } from "./presets.ts"
import { randomTensors } from "./randomTensors.ts"

export interface RandomModel {
  readonly directory: string
  readonly config: PresetName
  readonly seed: number
  readonly parameters: number
  /** Of all weight files. */
  readonly bytes: number
  readonly dtype: "bf16"
  /** Every weight file with its SHA-256: the same seed gives the same. */
  readonly files: readonly { readonly file: string; readonly sha256: string; readonly bytes: number }[]
  readonly tokenizer: Preset["tokenizer"]
  readonly seconds: number
}

const writeJson = (file: string, value: unknown) =>
  AtomicFile.writeWhole(file, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`))

/** As the released models have it. */
const preprocessor = (size: number) => ({
  crop_size: size,
  do_center_crop: true,
  do_normalize: true,
  do_resize: true,
  feature_extractor_type: "CLIPFeatureExtractor",
  image_mean: imagenetStatistics.mean,
  image_std: imagenetStatistics.std,
  resample: 3,
  size
})

/** Everything besides the weights; config.json last. */
const writeCompanions = Effect.fnUntraced(function* (directory: string, preset: Preset, config: ModelConfig) {
  const copy = Effect.fnUntraced(function* (file: string, name = basename(file)) {
    const bytes = yield* readBytes(file)
    return yield* AtomicFile.writeWhole(join(directory, name), bytes)
  })
  const copied = yield* Effect.forEach(preset.files, (file) => copy(file))
  const made: AtomicFile.Written[] = []
  if (preset.tokenizer !== "shipped") {
    made.push(yield* writeJson(join(directory, "preprocessor_config.json"), preprocessor(tileSize(config))))
    made.push(...(yield* writeByteTokenizer(directory, config.llm_config)))
  }
  return [...copied, ...made, yield* copy(preset.config, "config.json")]
})

/**
 * Writes config, tokenizer, preprocessor_config and weights in bf16. Emits a step for every tensor. The files appear together; what a
 * killed process left of them is removed. Fails with OutputExists, FileFailed; nothing else that is there is overwritten.
 */
export const writeRandomModel = Effect.fn("writeRandomModel")(function* (
  name: PresetName,
  { seed, directory }: { readonly seed: number; readonly directory: string }
) {
  const preset = presets[name]
  const text = yield* readText(preset.config)
  const config = decodeModelConfig(JSON.parse(text), preset.config)
  yield* requireEmpty(directory)
  const staging = yield* Staging.make(directory)
  const inPlace = (written: AtomicFile.Written) => ({ ...written, file: relative(staging.directory, written.file) })
  const begun = yield* monotonicMillis
  const steps = modelTensors(config).size
  let step = 0
  const tell = () => Effect.suspend(() => emit(RunEvents.StepDone, { step: ++step, steps, metrics: {} }))
  const sources = randomTensors(config, { seed, ...preset.weights }, tell)
  const weights = yield* Safetensors.writeModel(staging.directory, sources).pipe(
    Effect.provideService(CurrentStage, name),
    Effect.map((files) => files.map(inPlace))
  )
  const companions = yield* writeCompanions(staging.directory, preset, config)
  yield* staging.publish([...weights, ...companions.map(inPlace)])
  const files = weights.map((written) => ({ ...written, file: join(directory, written.file) }))
  const result: RandomModel = {
    directory,
    config: name,
    seed,
    parameters: parameterCount(config),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    dtype: "bf16",
    files,
    tokenizer: preset.tokenizer,
    seconds: ((yield* monotonicMillis) - begun) / 1000
  }
  return result
}, Effect.scoped)
