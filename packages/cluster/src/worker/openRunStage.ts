/** A stage of a run, opened to compute its units: model, data and inputs as the coordinator has them, from the run's directory. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import {
  beginStage,
  heldElsewhere,
  Recipe,
  readRunRecord,
  stagesName,
  type UnitFiles,
  UnitOffer
} from "@speedq/pipeline"
import { Compute, copyBeginning, knownStages, SampleWorkers } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import { UnitFailed } from "../Errors.ts"
import { memoryOf } from "./memoryOf.ts"

/** A directory of one stage in the runner's folder, for the life of the scope. */
const stageDirectory = (folder: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(folder, "stage-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

/** Computes a unit of one kind, from JSON to JSON. */
type ComputeJson = (input: Json, files: UnitFiles) => Effect.Effect<Json, Error>

interface StageOfRun {
  readonly run: string
  readonly stage: { readonly place: string; readonly key: string }
}

/** What computes units of the stage, by their kinds, for the life of the scope. Fails with UnitFailed where this machine does not see the same run. */
export const openRunStage = Effect.fn("openRunStage")(function* (
  { run, stage: { place, key } }: StageOfRun,
  { backend, folder }: { readonly backend: BackendName; readonly folder: string }
) {
  const refused = (reason: string) => new UnitFailed({ reason })
  const found = yield* readRunRecord(run)
  if (Option.isNone(found)) {
    return yield* refused(`there is no run in ${run}: runners need the run's directory under the path that the run has`)
  }
  const record = found.value
  if (record.keys[place] !== key) {
    return yield* refused(`stage ${place} of ${run} has another key here: the directory is not that of the coordinator`)
  }
  // Relative paths of the recipe count from there.
  if (record.workingDirectory !== undefined) process.chdir(resolve(realpathSync(run), record.workingDirectory))
  const recipe = yield* Recipe.decode(yield* knownStages, record.recipe)
  const own = yield* stageDirectory(folder)
  copyBeginning(join(run, stagesName, place), own)
  const services = yield* Layer.build(
    Layer.mergeAll(Compute.layer({ backend, ...memoryOf(recipe) }), SampleWorkers.layer(), heldElsewhere(run))
  )
  const kinds = new Map<string, ComputeJson>()
  yield* beginStage(recipe, { run, record, place, directory: own }).pipe(
    Effect.provideService(UnitOffer, (kind, compute) => {
      kinds.set(kind.name, (input, files) =>
        kind.decodeInput(input).pipe(
          Effect.flatMap((decoded) => compute(decoded, files)),
          Effect.map(kind.encodeOutput)
        )
      )
    }),
    Effect.provideContext(services)
  )
  return kinds as ReadonlyMap<string, ComputeJson>
})
