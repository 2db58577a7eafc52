/** A stage of a run, opened to compute its units: model, data and inputs as the coordinator has them, from the run's directory. */
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
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
import { Compute, copyBeginning, differsFromBeginning, knownStages, SampleWorkers } from "@speedq/stages"
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
export type ComputeJson = (input: Json, files: UnitFiles) => Effect.Effect<Json, Error>

interface StageOfRun {
  readonly run: string
  /** The run's directory, or what of it was copied here. */
  readonly directory: string
  readonly stage: { readonly place: string; readonly key: string }
}

/** Where the runner was started. */
const startedIn = process.cwd()

/** Relative paths of the recipe count from where the run was started, where this machine has that, else from where the runner was. */
const goToWorkingDirectory = (run: string, workingDirectory: string | undefined): void => {
  const home = existsSync(run) ? realpathSync(run) : run
  const wanted = workingDirectory === undefined ? startedIn : resolve(home, workingDirectory)
  process.chdir(existsSync(wanted) ? wanted : startedIn)
}

const otherThan = {
  model: "the model is not that of the run; copy it, every file of it",
  data: "model or data is not that of the run; copy all files, with the times of pictures (rsync -a), or set data.pictures to bytes"
}

/** What computes units of the stage, by their kinds, for the life of the scope. Fails with UnitFailed where this machine does not see the same run. */
export const openRunStage = Effect.fn("openRunStage")(function* (
  { run, directory, stage: { place, key } }: StageOfRun,
  { backend, folder }: { readonly backend: BackendName; readonly folder: string }
) {
  const refused = (reason: string) => new UnitFailed({ reason })
  const found = yield* readRunRecord(directory)
  if (Option.isNone(found)) {
    return yield* refused(
      `there is no run in ${run}: runners need the run's directory under the path that the run has, or a run with --over-http`
    )
  }
  const record = found.value
  if (record.keys[place] !== key) {
    return yield* refused(`stage ${place} of ${run} has another key here: the directory is not that of the coordinator`)
  }
  goToWorkingDirectory(run, record.workingDirectory)
  const recipe = yield* Recipe.decode(yield* knownStages, record.recipe)
  const own = yield* stageDirectory(folder)
  const theirs = join(directory, stagesName, place)
  copyBeginning(theirs, own)
  const services = yield* Layer.build(
    Layer.mergeAll(Compute.layer({ backend, ...memoryOf(recipe) }), SampleWorkers.layer(), heldElsewhere(directory))
  )
  const kinds = new Map<string, ComputeJson>()
  yield* beginStage(recipe, { run: directory, record, place, directory: own }).pipe(
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
  const difference = yield* differsFromBeginning(theirs, own, { recipe, place })
  if (difference !== undefined) return yield* refused(`${place} of ${run}: ${otherThan[difference]}`)
  return kinds as ReadonlyMap<string, ComputeJson>
})
