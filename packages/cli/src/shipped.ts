/** Files of the repository that the command uses: recipes, configs of models, the nano data. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The same from `src` and from `dist`. */
const repository = fileURLToPath(new URL("../../../", import.meta.url))

export const shippedRecipes = join(repository, "configs")
export const shippedModels = join(repository, "configs", "models")
export const shippedNano = join(repository, "data", "nano")
