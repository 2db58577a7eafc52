/** Files of the repository that the command uses: recipes, configs of models, the nano data. */
import { existsSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { ModelConfig } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"

/** The same from `src` and from `dist`. */
const repository = fileURLToPath(new URL("../../../../", import.meta.url))

export const shippedRecipes = join(repository, "configs")
export const shippedModels = join(repository, "configs", "models")
export const shippedNano = join(repository, "data", "nano")

const decodeConfig = Schema.decodeUnknownSync(Schema.fromJsonString(ModelConfig))

/** The shipped config of the released model that a path is named after, whether there is one or not. */
export const releasedFile = (model: string): string => join(shippedModels, `${basename(model).toLowerCase()}.json`)

/** What a model that is not downloaded yet will be like; undefined where no released one has its name. */
export const releasedConfig = (model: string): ModelConfig | undefined => {
  const file = releasedFile(model)
  return existsSync(file) ? decodeConfig(readFileSync(file, "utf8")) : undefined
}
