/**
 * Runs a recipe as a process: `clusterRun.ts DIRECTORY RECIPE BACKEND [CLUSTER]`, with the runners of a cluster where one is named. Says
 * every step on standard output, and what it tells of runners.
 */
import { mkdirSync, readFileSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClusterTimes, coordinating, RunnerIsRefused, RunnersChanged, ShardComputedHere } from "@speedq/cluster"
import { type Entry, Events, isEntryOf, Recipe, RunDirectory, RunEvents, runMain, Sinks } from "@speedq/pipeline"
import { Compute, SampleWorkers, stages } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { testTimes } from "./testTimes.ts"

const [directory = "", recipe = "", backend = "native", cluster] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })

const told = (entry: Entry) => {
  if (isEntryOf(RunEvents.StepDone, entry)) process.stdout.write(`${entry.stage} ${entry.event.step}\n`)
  for (const kind of [RunnersChanged, RunnerIsRefused, ShardComputedHere]) {
    if (entry.tag === kind.tag) process.stdout.write(`${kind.tag} ${entry.line()}\n`)
  }
}

const program = Effect.gen(function* () {
  yield* (yield* Events).subscribe({ write: told, flush: Effect.void })
  const run = Recipe.run(yield* Recipe.decode(stages, JSON.parse(readFileSync(recipe, "utf8"))))
  yield* cluster === undefined ? run : coordinating({ cluster, run: directory })(run)
})

runMain(
  program.pipe(
    Effect.scoped,
    Effect.provideService(ClusterTimes, testTimes),
    Effect.provide(Sinks.plainLines()),
    Effect.provide(
      Layer.mergeAll(
        RunDirectory.layer(directory).pipe(Layer.provideMerge(NodeServices.layer)),
        Compute.layer({ backend: backend as BackendName }),
        SampleWorkers.layer({ count: 1 })
      )
    )
  )
)
