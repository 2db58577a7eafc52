/** The model of a recipe before any work: its config, the size of its checkpoint, and what is missing of both. */
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { Forecast, processBytes, type RecipeSettings } from "@speedq/pipeline"
import { type ModelConfig, parameterCount, readModelConfig, readStatistics, resolveCheckpoint } from "@speedq/vlm-model"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type ModelUnreadable, modelUnreadable } from "../Errors.ts"
import type { Stored } from "../measuring/filled.ts"
import { checkpointFiles } from "../model/checkpointFiles.ts"
import { refusePacked } from "../model/refusePacked.ts"
import type { ModelPlace } from "../model/SourceModel.ts"
import { trying } from "../model/trying.ts"

export interface PlannedModel {
  readonly config: ModelConfig
  /** Bytes of the checkpoint; while it is not there, of one in 16 bits. */
  readonly weightBytes: number
  /** Files of the checkpoint that are there. */
  readonly files: readonly string[]
  /** Whether its matrices are held in 16 bits or in 32. */
  readonly stored: Stored
  /** Bytes of a process that has the checkpoint in memory, as every stage has while it works. */
  readonly loadedBytes: number
  readonly obstacles: readonly Forecast.Obstacle[]
}

const bytesIn16Bits = 2
/** Bytes a parameter between those of 16 and of 32 bits. */
const widest = 3
const fix = "give a directory of an InternVL model with config.json, tokenizer and safetensors"

const partFix = "give a safetensors or torch file, or a directory with a checkpoint"
/** Vision tower, projector, language model. */
const towers = 3

/** Config of a model that is not there yet, by the path where it will be: known models have known shapes. */
export const ReleasedConfigs = Context.Reference<(model: string) => ModelConfig | undefined>(
  "@speedq/pipeline/ReleasedConfigs",
  { defaultValue: () => () => undefined }
)

/** The config of a model directory, or of the released model that has its name while there is no directory. */
export const configOf = (model: string): Effect.Effect<ModelConfig, ModelUnreadable> =>
  Effect.flatMap(ReleasedConfigs, (released) =>
    Effect.try({
      try: () => (existsSync(join(model, "config.json")) ? undefined : released(model)) ?? readModelConfig(model),
      catch: modelUnreadable(model)
    })
  )

/** What is wrong with the header of a checkpoint, as loading it would say; nothing where it can be loaded. */
const checkHeader = (model: string, config: ModelConfig): Effect.Effect<readonly Forecast.Obstacle[]> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { store } = yield* Safetensors.openModel(model)
      yield* trying(() => {
        refusePacked(store)
        resolveCheckpoint(config, store)
      })
      return []
    })
  ).pipe(Effect.catch(({ message }) => Effect.succeed([{ issue: `${model}: ${message}` }])))

/** What is wrong with the file that states how pixels are normalized. */
const checkStatistics = (model: string): Effect.Effect<readonly Forecast.Obstacle[]> =>
  readStatistics(model).pipe(
    Effect.as([]),
    Effect.catch((error) => Effect.succeed([Forecast.obstacleOf(error)]))
  )

/**
 * Looks at a recipe's model without reading its weights: config, and names and shapes of the tensors. Fails with ModelUnreadable
 * when there is no config to plan with.
 */
export const planModel = Effect.fnUntraced(function* ({ model, parts = {} }: ModelPlace) {
  const config = yield* configOf(model)
  const { kind, files } = yield* Effect.mapError(
    trying(() => checkpointFiles(model)),
    modelUnreadable(model)
  )
  const missing = files.filter((file) => !existsSync(file))
  const elsewhere = Object.entries(parts)
  const isWhole = elsewhere.length === towers
  const whole = files.length > 0 && missing.length === 0
  const obstacles = [
    ...elsewhere
      .filter(([, path]) => !existsSync(path))
      .map(([part, path]) => ({ issue: `${path}, the weights of parts.${part}, does not exist`, fix: partFix })),
    ...(files.length === 0 && !isWhole
      ? [{ issue: `${model} has neither model.safetensors nor pytorch_model.bin, nor an index of shards`, fix }]
      : []),
    ...missing.map((file) => ({ issue: `${file}, a shard of the checkpoint, is missing`, fix })),
    ...(whole && !isWhole && kind === "safetensors" ? yield* checkHeader(model, config) : []),
    ...(existsSync(join(model, "config.json")) ? yield* checkStatistics(model) : [])
  ]
  const weightBytes = whole
    ? files.reduce((sum, file) => sum + statSync(file).size, 0)
    : bytesIn16Bits * parameterCount(config)
  const planned: PlannedModel = {
    config,
    weightBytes,
    files: files.filter((file) => existsSync(file)),
    stored: weightBytes < widest * parameterCount(config) ? "bf16" : "f32",
    loadedBytes: weightBytes + processBytes,
    obstacles
  }
  return planned
})

/** The teacher that a recipe names, before any work; undefined where the model is its own. Fails with ModelUnreadable. */
export const planTeacher = ({ teacher }: Pick<RecipeSettings, "teacher">) =>
  teacher === undefined ? Effect.succeed(undefined) : planModel({ model: teacher })
