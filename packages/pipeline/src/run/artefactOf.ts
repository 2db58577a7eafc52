/** Artefacts of a run that another process carries on or has carried out, read without its lock. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { readManifest } from "../checkpoints/StageManifest.ts"
import { openSaved, verifyFile } from "../checkpoints/savedFile.ts"
import { type RunRecord, readRunRecord, stagesName } from "../directory/RunDirectory.ts"
import { SavedFileDamaged } from "../Errors.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import { toJson } from "../recipe/recipeJson.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"
import type { AnyArtefact } from "../stage/Artefact.ts"

interface OfRun {
  /** Directory of the run, and what it says of itself. */
  readonly run: string
  readonly record: RunRecord
}

/** An artefact of the run, as `place` made it. Fails with SavedFileDamaged where it is not what the run rests on. */
export const artefactOf = Effect.fnUntraced(function* <E, R>(
  { run, record }: OfRun,
  place: string,
  { name, codec }: AnyArtefact<E, R>
) {
  const path = yield* Path.Path
  const stage = path.join(run, stagesName, place)
  const manifest = Option.getOrUndefined(yield* readManifest(stage))?.manifest
  const file = manifest?.key === record.keys[place] ? manifest?.finished?.artefacts[name] : undefined
  if (file === undefined) {
    return yield* new SavedFileDamaged({ file: stage, detail: `it has no ${name} of this run's key` })
  }
  yield* verifyFile(path.join(stage, file.file), file)
  return yield* codec.load(yield* openSaved(path.join(stage, file.file)))
})

/** The record of the run in `directory`, where it is one of this recipe. */
export const recordFor = Effect.fnUntraced(function* (recipe: AnyRecipe, directory: string) {
  const record = Option.getOrUndefined(yield* readRunRecord(directory))
  return record !== undefined && canonicalJson(record.recipe) === canonicalJson(toJson(recipe)) ? record : undefined
})

/**
 * What the last stage of a finished run gave, for as long as the scope is: the same as `run` gives. Fails with SavedFileDamaged where the
 * run in `directory` is another recipe's, or not finished.
 */
export const outputOf = Effect.fn("outputOf")(function* <E, R>(recipe: AnyRecipe<E, R>, run: string) {
  const record = yield* recordFor(recipe, run)
  if (record === undefined) return yield* new SavedFileDamaged({ file: run, detail: "it holds no run of this recipe" })
  const { stage, place } = labelled(recipe.stages).at(-1)!
  const output: { [name: string]: unknown } = {}
  for (const artefact of stage.gives) output[artefact.name] = yield* artefactOf({ run, record }, place, artefact)
  return output
})
