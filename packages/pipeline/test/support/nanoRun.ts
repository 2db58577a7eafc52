/** Runs a recipe of real stages as a process: `nanoRun.ts DIRECTORY RECIPE`. Says every step on standard output. */
import { readFileSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Compute } from "../../src/compute/Compute.ts"
import { SampleWorkers } from "../../src/data/SampleWorkers.ts"
import { Events, isEntryOf, Recipe, RunDirectory, RunEvents, runMain } from "../../src/index.ts"
import { stages } from "../../src/stages/registry.ts"

const [directory = "", recipe = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  yield* (yield* Events).subscribe({
    write: (entry) => {
      if (isEntryOf(RunEvents.StepDone, entry)) process.stdout.write(`${entry.stage} ${entry.event.step}\n`)
    },
    flush: Effect.void
  })
  return yield* Recipe.run(yield* Recipe.decode(stages, JSON.parse(readFileSync(recipe, "utf8"))))
})

runMain(
  program.pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(
        RunDirectory.layer(directory).pipe(Layer.provideMerge(NodeServices.layer)),
        Compute.layer({ backend: "native" }),
        SampleWorkers.layer({ count: 1 })
      )
    )
  )
)
