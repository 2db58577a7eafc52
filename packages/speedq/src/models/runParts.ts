/** What the stages of a run have made of its model. */
import { join } from "node:path"
import type { ModelParts } from "@speedq/exports"
import {
  type Artefact,
  openSaved,
  placeName,
  type RunRecord,
  readManifest,
  stagesInJson,
  stagesName,
  verifyFile
} from "@speedq/pipeline"
import { QuantizedLanguage, QuantizedVision, stages, TrainedProjector } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NotExportable } from "../Errors.ts"

/** Directory name of the last stage that gives an artefact; undefined where none does. */
const placeOf = (recipe: RunRecord["recipe"], artefact: Artefact.AnyArtefact): string | undefined =>
  stagesInJson(recipe)
    .map(({ use, label }, index) => ({ place: placeName(index, label), kind: stages.find(({ name }) => name === use) }))
    .filter(({ kind }) => kind?.gives.some(({ name }) => name === artefact.name))
    .at(-1)?.place

/** Loads an artefact of a run for the life of the scope; undefined where its recipe makes none. */
const load = Effect.fnUntraced(function* <Name extends string, A, E, R>(
  directory: string,
  recipe: RunRecord["recipe"],
  artefact: Artefact.Artefact<Name, A, E, R>
) {
  const place = placeOf(recipe, artefact)
  if (place === undefined) return undefined
  const stage = join(directory, stagesName, place)
  const manifest = Option.getOrUndefined(yield* readManifest(stage))?.manifest
  const record = manifest?.finished?.artefacts[artefact.name]
  if (record === undefined) {
    const reason = `its stage ${place} is not finished; "speedq status ${directory}" says how far it is`
    return yield* new NotExportable({ path: directory, reason })
  }
  const file = join(stage, record.file)
  yield* verifyFile(file, record)
  return yield* artefact.codec.load(yield* openSaved(file))
})

/** The parts that a run's stages give in the end. Fails with NotExportable while one of them is missing, or where there are none. */
export const runParts = Effect.fn("runParts")(function* (directory: string, { recipe }: RunRecord) {
  const parts: ModelParts = {
    quantizedVision: yield* load(directory, recipe, QuantizedVision),
    projector: yield* load(directory, recipe, TrainedProjector),
    quantizedLanguage: yield* load(directory, recipe, QuantizedLanguage)
  }
  if (parts.quantizedVision === undefined && parts.quantizedLanguage === undefined) {
    return yield* new NotExportable({ path: directory, reason: "its recipe quantizes nothing" })
  }
  return parts
})
