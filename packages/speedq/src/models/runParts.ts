/** What the stages of a run have made of its model. */
import type { ModelParts } from "@speedq/exports"
import { type RunRecord, type Stage, stagesInJson } from "@speedq/pipeline"
import { knownStages, QuantizedLanguage, QuantizedVision, TrainedProjector } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { NotExportable } from "../Errors.ts"
import { orMissing } from "../plugins/tellMissing.ts"
import { runArtefact } from "./runArtefact.ts"

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

const notExportable = (path: string) => (reason: string) => new NotExportable({ path, reason })

/** The parts that a run's stages give in the end. Fails with NotExportable while one of them is missing or stale, or where there are none. */
export const runParts = Effect.fn("runParts")(function* (directory: string, record: RunRecord) {
  yield* requireKnown(directory, record.recipe, yield* knownStages)
  const parts: ModelParts = {
    quantizedVision: yield* runArtefact(directory, record, QuantizedVision, notExportable(directory)),
    projector: yield* runArtefact(directory, record, TrainedProjector, notExportable(directory)),
    quantizedLanguage: yield* runArtefact(directory, record, QuantizedLanguage, notExportable(directory))
  }
  if (parts.quantizedVision === undefined && parts.quantizedLanguage === undefined) {
    return yield* new NotExportable({ path: directory, reason: "its recipe quantizes nothing" })
  }
  return parts
})
