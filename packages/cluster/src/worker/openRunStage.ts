/** A training stage of a run, opened to compute its shards: model, data and inputs as the coordinator has them, from the run's directory. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { beginStage, Events, Recipe, RunDirectory, readRunRecord, stagesName } from "@speedq/pipeline"
import { Compute, type ComputeShard, copyBeginning, knownStages, SampleWorkers, ShardOffer } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { UnitFailed } from "../Errors.ts"
import type { ShardRequest } from "../units/ShardUnit.ts"

const notOurs = () => Effect.die(new Error("a runner does not write in the directory of a run"))

/** The directory of a run whose lock another process holds. */
const directoryOf = (run: string) =>
  Layer.effect(
    RunDirectory,
    Effect.map(Effect.scope, (scope) =>
      RunDirectory.of({ path: run, scope, verify: Effect.void, record: notOurs, expect: notOurs })
    )
  )

/** A directory of one stage in the runner's folder, for the life of the scope. */
const stageDirectory = (folder: string) =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(folder, "stage-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

/** What computes shards of the stage, for the life of the scope. Fails with UnitFailed where this machine does not see the same run. */
export const openRunStage = Effect.fn("openRunStage")(function* (
  { run, place, key }: Pick<ShardRequest, "run" | "place" | "key">,
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
  const { limit, device } = recipe.settings.memory ?? {}
  const bytes = (size: typeof limit) => (size === undefined ? undefined : Number(size))
  const services = yield* Layer.build(
    Layer.mergeAll(
      Compute.layer({ backend, memoryLimit: bytes(limit), deviceMemory: bytes(device) }),
      SampleWorkers.layer(),
      Events.layer,
      directoryOf(run)
    )
  )
  let compute: ComputeShard | undefined
  yield* beginStage(recipe, { run, record, place, directory: own }).pipe(
    Effect.provideService(ShardOffer, (offered) => {
      compute = offered
    }),
    Effect.provideContext(services)
  )
  if (compute === undefined) return yield* refused(`stage ${place} of ${run} has no shards`)
  return compute
})
