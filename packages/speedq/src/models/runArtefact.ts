/** What a stage of a run has made, read back. */
import { join } from "node:path"
import {
  type Artefact,
  openSaved,
  placeName,
  type RunRecord,
  readManifest,
  type Stage,
  stagesInJson,
  stagesName,
  verifyFile
} from "@speedq/pipeline"
import { knownStages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Directory name of the last stage that gives an artefact; undefined where none does. */
const placeOf = (
  recipe: RunRecord["recipe"],
  known: readonly Stage.Registered[],
  artefact: Artefact.AnyArtefact
): string | undefined =>
  stagesInJson(recipe)
    .map(({ use, label }, index) => ({ place: placeName(index, label), kind: known.find(({ name }) => name === use) }))
    .filter(({ kind }) => kind?.gives.some(({ name }) => name === artefact.name))
    .at(-1)?.place

/**
 * Loads an artefact of a run for the life of the scope; undefined where its recipe makes none. Fails with what `unfit` makes of the
 * reason while it is missing or stale.
 */
export const runArtefact = Effect.fn("runArtefact")(function* <Name extends string, A, E, R, Unfit>(
  directory: string,
  { recipe, keys }: RunRecord,
  artefact: Artefact.Artefact<Name, A, E, R>,
  unfit: (reason: string) => Unfit
) {
  const place = placeOf(recipe, yield* knownStages, artefact)
  if (place === undefined) return undefined
  const stage = join(directory, stagesName, place)
  const manifest = Option.getOrUndefined(yield* readManifest(stage))?.manifest
  const record = manifest?.finished?.artefacts[artefact.name]
  if (record === undefined) {
    return yield* Effect.fail(
      unfit(`its stage ${place} is not finished; "speedq status ${directory}" says how far it is`)
    )
  }
  if (manifest?.key !== keys[place]) {
    return yield* Effect.fail(
      unfit(
        `the result of its stage ${place} is stale: the recipe, its data or an earlier stage changed since; continue the run first`
      )
    )
  }
  const file = join(stage, record.file)
  yield* verifyFile(file, record)
  return yield* artefact.codec.load(yield* openSaved(file))
})
