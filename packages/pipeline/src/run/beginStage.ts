/**
 * Begins a stage of a run that another process carries on: from the artefacts that the run has made, in a directory of its own. Nothing in
 * the run's directory is written.
 */
import * as Effect from "effect/Effect"
import type { RunRecord } from "../directory/RunDirectory.ts"
import { SavedFileDamaged } from "../Errors.ts"
import { CurrentStage } from "../events/Events.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"
import { artefactOf } from "./artefactOf.ts"
import { stageSeed } from "./runStage.ts"
import { arithmeticOf, StageArithmetic } from "./StageArithmetic.ts"
import { inputsOf } from "./stageKeys.ts"

interface BegunElsewhere {
  /** Directory of the run, what it says of itself, and the stage that it is in. */
  readonly run: string
  readonly record: RunRecord
  readonly place: string
  /** The stage's own directory in this process. */
  readonly directory: string
}

/** The stage at a place of the recipe, with the artefacts that it takes and the places that make them; undefined where there is none. */
const stageAt = <E, R>(recipe: AnyRecipe<E, R>, place: string) => {
  const stages = labelled(recipe.stages)
  const at = stages.findIndex((each) => each.place === place)
  const found = stages[at]
  if (found === undefined) return undefined
  const makers = new Map(
    stages.slice(0, at).flatMap((earlier) => earlier.stage.gives.map(({ name }) => [name, earlier.place] as const))
  )
  const inputs = inputsOf(found.stage, makers).map((artefact) => ({ artefact, maker: makers.get(artefact.name)! }))
  return { ...found, inputs }
}

/** Names of the artefacts that the stage at a place takes, each with the place of the stage that makes it. */
export const stageInputs = <E, R>(recipe: AnyRecipe<E, R>, place: string) =>
  stageAt(recipe, place)?.inputs.map(({ artefact, maker }) => ({ name: artefact.name, maker }))

/** The fingerprint that the stage at a place would have with the model and the data that this process finds. */
export const fingerprintAt = <E, R>(recipe: AnyRecipe<E, R>, place: string) =>
  stageAt(recipe, place)?.stage.fingerprint(recipe.settings)

/** The stage's session, for the life of the scope. Fails with what the stage fails with, SavedFileDamaged and StorageFailed. */
export const beginStage = Effect.fn("beginStage")(function* <E, R>(recipe: AnyRecipe<E, R>, elsewhere: BegunElsewhere) {
  const { run, place, directory } = elsewhere
  const found = stageAt(recipe, place)
  if (found === undefined) return yield* new SavedFileDamaged({ file: run, detail: `its recipe has no stage ${place}` })
  const { stage, label, inputs } = found
  const input: { [name: string]: unknown } = {}
  for (const { artefact, maker } of inputs) input[artefact.name] = yield* artefactOf(elsewhere, maker, artefact)
  const { settings } = recipe
  const context = { recipe: settings, label, seed: stageSeed(settings.seed, label), directory, runDirectory: run }
  const { arithmetic } = yield* arithmeticOf(settings, label)
  const begin = Effect.provideService(stage.begin(input as never, context), CurrentStage, place)
  return yield* (yield* StageArithmetic).within(arithmetic)(begin)
})
