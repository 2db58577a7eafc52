/** The backend of a run. */
import type { Recipe } from "@speedq/pipeline"
import { Compute } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"

/** The backend, within the recipe's limit of memory. */
export const computeFor = ({ settings }: Recipe.AnyRecipe, backend: BackendName) => {
  const limit = settings.memory?.limit
  return Compute.layer({ backend, memoryLimit: limit === undefined ? undefined : Number(limit) })
}
