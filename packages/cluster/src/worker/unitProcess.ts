/**
 * The process that computes for a runner: `unitProcess.js BACKEND RUNNER FOLDER [LOADER PLUGIN...]`. It ends with its runner, whose channel
 * it listens to. LOADER is the URL of a module that loads plugins.
 */
import { rmSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { runMain } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import type { PluginLoader } from "./PluginFiles.ts"
import { UnitRpcs } from "./UnitRpcs.ts"
import { unitServer } from "./unitServer.ts"

const [backend = "auto", runner = "", folder = "", loader, ...plugins] = process.argv.slice(2)

// A runner that was killed closes the channel, and leaves its folder.
process.on("disconnect", () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(0)
})
// A terminal's signal goes to the whole group of processes: the runner decides.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {})

const serving = RpcServer.layer(UnitRpcs).pipe(
  Layer.provide(unitServer({ backend: backend as BackendName, runner, folder })),
  Layer.provide(RpcServer.layerProtocolWorkerRunner),
  Layer.provide(NodeWorkerRunner.layer),
  Layer.provide(NodeServices.layer),
  Layer.launch
)

const withPlugins = Effect.gen(function* () {
  if (loader === undefined) return yield* serving
  const { providePlugins }: PluginLoader = yield* Effect.promise(() => import(loader))
  return yield* providePlugins(plugins, serving)
})

runMain(withPlugins)
