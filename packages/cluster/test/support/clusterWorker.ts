/** A runner as a process: `clusterWorker.ts CLUSTER BACKEND`. Says what it does on standard output. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClusterTimes, runWorker, StillPatience } from "@speedq/cluster"
import { runMain } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { testPatience, testTimes } from "./testTimes.ts"

const [cluster = "", backend = "native"] = process.argv.slice(2)

runMain(
  runWorker({
    cluster,
    backend: backend as BackendName,
    onNews: (news) => {
      process.stdout.write(`${JSON.stringify(news)}\n`)
    }
  }).pipe(
    Effect.provideService(ClusterTimes, testTimes),
    Effect.provideService(StillPatience, testPatience),
    Effect.provide(NodeServices.layer)
  )
)
