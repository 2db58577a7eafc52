/**
 * Runs a recipe or an ablation as a process: `clusterRun.ts DIRECTORY FILE BACKEND [CLUSTER [other|HOST:PORT]]`, with the runners of a
 * cluster where one is named, also those on other backends where that is said, and with files over HTTP where an address is. Says every step on standard output, and what it tells of runners.
 */
import { mkdirSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  ClusterTimes,
  coordinating,
  FilesServed,
  RunnerIsRefused,
  RunnersChanged,
  UnitComputed,
  UnitComputedHere,
  UnitHandedOut
} from "@speedq/cluster"
import {
  decodeAblation,
  decodeAblationDocument,
  type Entry,
  Events,
  isAblation,
  isEntryOf,
  Recipe,
  RunDirectory,
  RunEvents,
  runAblation,
  runMain,
  Sinks
} from "@speedq/pipeline"
import { byLastEvaluation, Compute, SampleWorkers, stages } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { testTimes } from "./testTimes.ts"

const [directory = "", file = "", backend = "native", cluster, more] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })
const json = JSON.parse(readFileSync(file, "utf8"))

const http = more === undefined || more === "other" ? undefined : { listen: more }

const told = (entry: Entry) => {
  if (isEntryOf(RunEvents.StepDone, entry)) process.stdout.write(`${entry.stage} ${entry.event.step}\n`)
  for (const kind of [FilesServed, RunnersChanged, RunnerIsRefused, UnitHandedOut, UnitComputed, UnitComputedHere]) {
    if (entry.tag === kind.tag) process.stdout.write(`${kind.tag} ${entry.line()}\n`)
  }
}
const telling = Layer.effectDiscard(
  Effect.flatMap(Events, (events) => events.subscribe({ write: told, flush: Effect.void }))
)

const shared = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  cluster === undefined ? work : coordinating({ cluster, run: directory, otherBackends: more === "other", http })(work)

const recipe = Effect.gen(function* () {
  yield* shared(Recipe.run(yield* Recipe.decode(stages, json)))
}).pipe(Effect.provide(Layer.merge(telling, Sinks.plainLines())), Effect.provide(RunDirectory.layer(directory)))

const ablation = Effect.gen(function* () {
  const document = yield* decodeAblationDocument(json)
  const base = JSON.parse(readFileSync(resolve(dirname(file), document.base), "utf8"))
  const ablation = yield* decodeAblation(stages, document, base)
  yield* shared(runAblation(ablation, { directory, judgement: byLastEvaluation, sinks: () => Layer.fresh(telling) }))
}).pipe(Effect.provide(telling), Effect.provide(Layer.fresh(Events.layer)))

const work: Effect.Effect<void, unknown, Effect.Services<typeof recipe> | Effect.Services<typeof ablation>> =
  isAblation(json) ? ablation : recipe

runMain(
  work.pipe(
    Effect.scoped,
    Effect.provideService(ClusterTimes, testTimes),
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Compute.layer({ backend: backend as BackendName }),
        SampleWorkers.layer({ count: 1 })
      )
    )
  )
)
