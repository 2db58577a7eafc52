/** How long a stage takes in all: its work, reading the model, saving states as the recipe says, and keeping the result. */
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { readingSeconds, savingSeconds } from "../measuring/storage.ts"
import type { PlannedModel } from "./plannedModel.ts"

interface StageWork {
  readonly recipe: Pick<RecipeSettings, "save">
  readonly place: Pick<Stage.PlaceInRecipe, "directory">
  readonly model: Pick<PlannedModel, "files" | "weightBytes">
  /** Seconds of the work itself, and the steps that it is divided in. */
  readonly seconds: number
  readonly steps: number
  readonly checkpointBytes: number
  readonly outputBytes: number
}

/** States that are saved on the way: after so many steps, or seconds, whichever comes first; not after the last step. */
const savesOf = ({ recipe: { save }, seconds, steps }: StageWork): number => {
  const every = save.everySteps ?? Number.POSITIVE_INFINITY
  const stepsBetween = Math.min(every, Math.ceil((save.everySeconds * steps) / Math.max(seconds, 1e-9)))
  return Math.max(0, Math.ceil(steps / stepsBetween) - 1)
}

export const stageSeconds = Effect.fnUntraced(function* (work: StageWork) {
  const { model, place, seconds, checkpointBytes, outputBytes } = work
  const written = savesOf(work) * checkpointBytes + outputBytes
  const reading = yield* readingSeconds(model.files[0], model.weightBytes)
  return seconds + reading + (yield* savingSeconds(place.directory, written))
})
