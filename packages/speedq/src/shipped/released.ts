/** Configs of the released models, for plans of those that are not downloaded yet. */
import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import { readTextSync } from "@speedq/formats"
import { decodeModelConfig, type ModelConfig } from "@speedq/vlm-model"
import { shippedModels } from "./shipped.ts"

/** The shipped config of the released model that a path is named after, whether there is one or not. */
export const releasedFile = (model: string): string => join(shippedModels, `${basename(model).toLowerCase()}.json`)

/** What a model that is not downloaded yet will be like; undefined where no released one has its name. */
export const releasedConfig = (model: string): ModelConfig | undefined => {
  const file = releasedFile(model)
  return existsSync(file) ? decodeModelConfig(JSON.parse(readTextSync(file)), file) : undefined
}
