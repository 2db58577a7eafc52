/** The process that computes for a runner: `unitProcess.js BACKEND RUNNER FOLDER`. It ends with its runner, whose channel it listens to. */
import { rmSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { runMain } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import { UnitRpcs } from "./UnitRpcs.ts"
import { unitServer } from "./unitServer.ts"

const [backend = "auto", runner = "", folder = ""] = process.argv.slice(2)

// A runner that was killed closes the channel, and leaves its folder.
process.on("disconnect", () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(0)
})
// A terminal's signal goes to the whole group of processes: the runner decides.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})

runMain(
  RpcServer.layer(UnitRpcs).pipe(
    Layer.provide(unitServer({ backend: backend as BackendName, runner, folder })),
    Layer.provide(RpcServer.layerProtocolWorkerRunner),
    Layer.provide(NodeWorkerRunner.layer),
    Layer.provide(NodeServices.layer),
    Layer.launch
  )
)
