/** What the stages of a run have made of its model. */
import { join } from "node:path"
import type { ModelParts } from "@speedq/exports"
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
import { knownStages, QuantizedLanguage, QuantizedVision, TrainedProjector } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NotExportable } from "../Errors.ts"
import { orMissing } from "../plugins/tellMissing.ts"

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

/** Fails where the recipe has a kind of stage that is not known: it may have given a part of the model. */
const requireKnown = Effect.fnUntraced(function* (
  directory: string,
  recipe: RunRecord["recipe"],
  known: readonly Stage.Registered[]
) {
  const unknown = stagesInJson(recipe).flatMap(({ use }) =>
    known.some(({ name }) => name === use) ? [] : [`"${use}"`]
  )
  if (unknown.length === 0) return
  const reason = `what its stage ${unknown.join(", ")} gives is unknown here; add --plugin FILE with the plugin that defines it`
  return yield* orMissing(directory, new NotExportable({ path: directory, reason }))
})

/** Loads an artefact of a run for the life of the scope; undefined where its recipe makes none. */
const load = Effect.fnUntraced(function* <Name extends string, A, E, R>(
  directory: string,
  { recipe, keys }: RunRecord,
  artefact: Artefact.Artefact<Name, A, E, R>
) {
  const place = placeOf(recipe, yield* knownStages, artefact)
  if (place === undefined) return undefined
  const stage = join(directory, stagesName, place)
  const manifest = Option.getOrUndefined(yield* readManifest(stage))?.manifest
  const record = manifest?.finished?.artefacts[artefact.name]
  if (record === undefined) {
    const reason = `its stage ${place} is not finished; "speedq status ${directory}" says how far it is`
    return yield* new NotExportable({ path: directory, reason })
  }
  if (manifest?.key !== keys[place]) {
    const reason = `the result of its stage ${place} is stale: the recipe, its data or an earlier stage changed since; continue the run first`
    return yield* new NotExportable({ path: directory, reason })
  }
  const file = join(stage, record.file)
  yield* verifyFile(file, record)
  return yield* artefact.codec.load(yield* openSaved(file))
})

/** The parts that a run's stages give in the end. Fails with NotExportable while one of them is missing or stale, or where there are none. */
export const runParts = Effect.fn("runParts")(function* (directory: string, record: RunRecord) {
  yield* requireKnown(directory, record.recipe, yield* knownStages)
  const parts: ModelParts = {
    quantizedVision: yield* load(directory, record, QuantizedVision),
    projector: yield* load(directory, record, TrainedProjector),
    quantizedLanguage: yield* load(directory, record, QuantizedLanguage)
  }
  if (parts.quantizedVision === undefined && parts.quantizedLanguage === undefined) {
    return yield* new NotExportable({ path: directory, reason: "its recipe quantizes nothing" })
  }
  return parts
})
