/** Whether an earlier stage of a recipe gives an artefact. */
import type { Stage } from "@speedq/pipeline"

export const givenBefore = ({ label, stages }: Stage.PlaceInRecipe, { name }: { readonly name: string }): boolean => {
  const own = stages.findIndex((stage) => stage.label === label)
  return stages.slice(0, Math.max(0, own)).some(({ stage }) => stage.gives.some((artefact) => artefact.name === name))
}
