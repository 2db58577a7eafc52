/** The backend of a run. */
import type { Recipe } from "@speedq/pipeline"
import { Compute } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"

/** The backend, within the recipe's limits of memory. */
export const computeFor = ({ settings }: Recipe.AnyRecipe, backend: BackendName) => {
  const { limit, device } = settings.memory ?? {}
  const bytes = (size: typeof limit) => (size === undefined ? undefined : Number(size))
  return Compute.layer({ backend, memoryLimit: bytes(limit), deviceMemory: bytes(device) })
}
