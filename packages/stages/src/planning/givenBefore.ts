/** What the stages before a place in a recipe give. */
import type { Stage } from "@speedq/pipeline"

export const stagesBefore = ({ label, stages }: Stage.PlaceInRecipe): Stage.PlaceInRecipe["stages"] =>
  stages.slice(
    0,
    Math.max(
      0,
      stages.findIndex((stage) => stage.label === label)
    )
  )

/** Whether one of them gives this artefact. */
export const givenBefore = (place: Stage.PlaceInRecipe, { name }: { readonly name: string }): boolean =>
  stagesBefore(place).some(({ stage }) => stage.gives.some((artefact) => artefact.name === name))
