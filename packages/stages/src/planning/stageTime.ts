/** How long a stage takes in all: its work, opening the model, saving states as the recipe says, and keeping the result. */
import type { Forecast, RecipeSettings, Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { openingSeconds, readingSeconds, savingSeconds, smallFilesSeconds } from "../measuring/storage.ts"
import type { PlannedModel } from "./plannedModel.ts"

/** Seconds of work, by pieces that were timed, and what is to be told of how they were. */
export interface Work {
  readonly seconds: number
  readonly notes: readonly string[]
}

/** Work of two kinds; what is told of both is told once. */
export const bothOf = (first: Option.Option<Work>, second: Option.Option<Work>): Option.Option<Work> =>
  Option.zipWith(first, second, (one, other) => ({
    seconds: one.seconds + other.seconds,
    notes: [...new Set([...one.notes, ...other.notes])]
  }))

export interface StageFiles {
  readonly recipe: Pick<RecipeSettings, "save" | "model">
  readonly place: Pick<Stage.PlaceInRecipe, "directory">
  readonly model: Pick<PlannedModel, "files" | "weightBytes">
  /** Steps that the work is divided in. */
  readonly steps: number
  readonly checkpointBytes: number
  readonly outputBytes: number
  /** Small files that the stage writes besides those of every stage. */
  readonly smallFiles?: number
}

/** The manifest and its copy, before and after the work; report and artefact. */
const ownFiles = 6

/** States that are saved on the way: after so many steps, or seconds, whichever comes first; not after the last step. */
const savesOf = ({ recipe: { save }, steps }: StageFiles, seconds: number): number => {
  const every = save.everySteps ?? Number.POSITIVE_INFINITY
  const stepsBetween = Math.min(every, Math.ceil((save.everySeconds * steps) / Math.max(seconds, 1e-9)))
  return Math.max(0, Math.ceil(steps / stepsBetween) - 1)
}

/** The time of a stage that does this work: unknown where no piece of it can be timed. */
export const stageTime = Effect.fnUntraced(function* (
  work: Option.Option<Work>,
  files: StageFiles
): Effect.fn.Return<Forecast.Time> {
  if (Option.isNone(work)) return { seconds: undefined, lines: [] }
  const { recipe, model, place, checkpointBytes, outputBytes, smallFiles = 0 } = files
  const { seconds, notes } = work.value
  const written = savesOf(files, seconds) * checkpointBytes + outputBytes
  const opening =
    (yield* openingSeconds(recipe.model)) + (yield* readingSeconds(model.files[0], model.weightBytes, "weights"))
  const saving =
    (yield* savingSeconds(place.directory, written)) +
    (yield* smallFilesSeconds(place.directory, ownFiles + smallFiles))
  return { seconds: opening + seconds + saving, lines: notes }
})
