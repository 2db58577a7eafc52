/** A cell of an ablation, computed as a whole in its directory below the ablation's, which all see under one path. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import {
  type CellInput,
  OtherRuns,
  Recipe,
  RunDirectory,
  recordSinks,
  runPlace,
  Surroundings,
  whenUnlocked
} from "@speedq/pipeline"
import { Compute, knownStages, SampleWorkers } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UnitFailed } from "../Errors.ts"
import { exchangeOf } from "../units/exchange.ts"
import { memoryOf } from "./memoryOf.ts"

/**
 * Runs the cell's recipe, or continues it. Fails with what the run fails with, and with UnitFailed where this machine does not see the
 * ablation. A directory that another process holds is waited for: a runner that was given up may still be at it.
 */
export const computeCell = Effect.fn("computeCell")(function* (
  ablation: string,
  { recipe: json, others, workingDirectory, surroundings, records, ...cell }: CellInput,
  backend: BackendName
) {
  if (!existsSync(exchangeOf(ablation))) {
    const reason = `there is no ablation at work in ${ablation}: runners need its directory under the path that it has`
    return yield* new UnitFailed({ reason })
  }
  // Relative paths of the recipe count from there.
  process.chdir(workingDirectory)
  const recipe = yield* Recipe.decode(yield* knownStages, json)
  const directory = join(ablation, runPlace(cell))
  const work = Effect.gen(function* () {
    const own = { ...surroundings, backend: (yield* Compute).backend.name }
    yield* Effect.asVoid(Effect.provideService(Recipe.run(recipe), Surroundings, own))
  }).pipe(
    Effect.provide(recordSinks(records, directory)),
    Effect.provide(RunDirectory.layer(directory)),
    Effect.provideService(
      OtherRuns,
      others.map((other) => join(ablation, runPlace(other)))
    ),
    Effect.scoped
  )
  yield* whenUnlocked(work).pipe(
    Effect.provide(Layer.mergeAll(Compute.layer({ backend, ...memoryOf(recipe) }), SampleWorkers.layer()))
  )
  return {}
})
