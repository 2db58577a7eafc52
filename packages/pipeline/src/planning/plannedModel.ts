/** The model of a recipe before any work: its config, the size of its checkpoint, and what is missing of both. */
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { type ModelConfig, readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { ModelUnreadable } from "../Errors.ts"
import type { Obstacle } from "../Forecast.ts"
import type { RecipeSettings } from "../RecipeSettings.ts"

export interface PlannedModel {
  readonly config: ModelConfig
  /** Bytes of the checkpoint, which is in memory while a stage works; 0 when it is not there yet. */
  readonly weightBytes: number
  readonly obstacles: readonly Obstacle[]
}

const fix = "give a directory of an InternVL3 model with config.json, tokenizer and safetensors"

/** Files of the checkpoint in a directory: the one file, or the shards of its index. */
const checkpointFiles = (directory: string): readonly string[] => {
  const single = join(directory, "model.safetensors")
  if (existsSync(single)) return [single]
  const index = join(directory, "model.safetensors.index.json")
  if (!existsSync(index)) return []
  const { weight_map = {} } = JSON.parse(readFileSync(index, "utf8")) as { readonly weight_map?: object }
  return [...new Set(Object.values(weight_map))].map((file) => join(directory, String(file)))
}

/** Looks at a recipe's model without opening its weights. Fails with ModelUnreadable when there is no config to plan with. */
export const planModel = ({ model }: RecipeSettings): Effect.Effect<PlannedModel, ModelUnreadable> =>
  Effect.try({
    try: () => {
      const config = readModelConfig(model)
      const files = checkpointFiles(model)
      const missing = files.filter((file) => !existsSync(file))
      const obstacles = [
        ...(files.length === 0 ? [{ issue: `${model} has no model.safetensors, nor an index of shards`, fix }] : []),
        ...missing.map((file) => ({ issue: `${file}, a shard of the checkpoint, is missing`, fix }))
      ]
      const present = files.filter((file) => !missing.includes(file))
      return { config, weightBytes: present.reduce((sum, file) => sum + statSync(file).size, 0), obstacles }
    },
    catch: (error) =>
      new ModelUnreadable({ directory: model, reason: error instanceof Error ? error.message : String(error) })
  })
