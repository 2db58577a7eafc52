/** What a stage of a run has made, read back. */
import { basename, join } from "node:path"
import {
  type Artefact,
  openSaved,
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

/** Directory of the last stage that gives an artefact, whether it is finished or not; undefined where none does. */
export const artefactDirectory = Effect.fnUntraced(function* (
  directory: string,
  { recipe }: RunRecord,
  artefact: Artefact.AnyArtefact
) {
  const place = placeOf(recipe, yield* knownStages, artefact)
  return place === undefined ? undefined : join(directory, stagesName, place)
})

/** Directory name of the last stage that gives an artefact; undefined where none does. */
const placeOf = (
  recipe: RunRecord["recipe"],
  known: readonly Stage.Registered[],
  artefact: Artefact.AnyArtefact
): string | undefined =>
  stagesInJson(recipe)
    .filter(({ use }) => known.find(({ name }) => name === use)?.gives.some(({ name }) => name === artefact.name))
    .at(-1)?.place

/**
 * Loads an artefact of a run for the life of the scope; undefined where its recipe makes none. Fails with what `unfit` makes of the
 * reason while it is missing or stale.
 */
export const runArtefact = Effect.fn("runArtefact")(function* <Name extends string, A, E, R, Unfit>(
  directory: string,
  run: RunRecord,
  artefact: Artefact.Artefact<Name, A, E, R>,
  unfit: (reason: string) => Unfit
) {
  const stage = yield* artefactDirectory(directory, run, artefact)
  if (stage === undefined) return undefined
  const place = basename(stage)
  const manifest = Option.getOrUndefined(yield* readManifest(stage))?.manifest
  const record = manifest?.finished?.artefacts[artefact.name]
  if (record === undefined) {
    return yield* Effect.fail(
      unfit(`its stage ${place} is not finished; "speedq status ${directory}" says how far it is`)
    )
  }
  if (manifest?.key !== run.keys[place]) {
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
