/** The backend of a run. */
import type { Recipe } from "@speedq/pipeline"
import { Compute } from "@speedq/stages"

/** The backend, within the recipe's limit of memory. */
export const computeFor = ({ settings }: Recipe.AnyRecipe, backend: string) => {
  const limit = settings.memory?.limit
  return Compute.layer({ backend, memoryLimit: limit === undefined ? undefined : Number(limit) })
}
