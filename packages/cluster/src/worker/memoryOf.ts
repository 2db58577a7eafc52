/** The limits of memory that a recipe sets, in bytes. */
import type { Recipe } from "@speedq/pipeline"

export const memoryOf = ({ settings }: Recipe.AnyRecipe) => {
  const { limit, device } = settings.memory ?? {}
  const bytes = (size: typeof limit) => (size === undefined ? undefined : Number(size))
  return { memoryLimit: bytes(limit), deviceMemory: bytes(device) }
}
