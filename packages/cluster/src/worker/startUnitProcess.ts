/** Starts the process that computes for a runner, and talks with it. */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import { formatDuration } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import type { PluginFiles } from "./PluginFiles.ts"
import { StillPatience, untilStill } from "./signsOfLife.ts"
import { UnitRpcs } from "./UnitRpcs.ts"

/** What the process runs: the compiled module; sources need a loader. Tests that follow a build spare it. */
const program = ((): { readonly entry: string; readonly execArgv: string[] } => {
  if (!import.meta.url.endsWith(".ts")) return { entry: "./unitProcess.js", execArgv: [] }
  if (process.env["SPEEDQ_TEST_BUILT"] === "1") return { entry: "../../dist/worker/unitProcess.js", execArgv: [] }
  return { entry: "./unitProcess.ts", execArgv: ["--import", "tsx", "-C", "@speedq/source"] }
})()

/** A folder of the runner's own, for the life of the scope: the process that computes may be killed and cannot remove it then. */
export const ownFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "speedq-runner-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

interface UnitProcessOptions {
  readonly runner: string
  readonly folder: string
  readonly plugins?: PluginFiles | undefined
}

/** The client of a process that lives as long as the scope. `ended` is told why when the process ends by itself, or is killed as it stands still. */
export const startUnitProcess = Effect.fn("startUnitProcess")(function* (
  backend: BackendName,
  { runner, folder, plugins }: UnitProcessOptions,
  ended: (reason: string) => void
) {
  let child: ChildProcess | undefined
  const args = [backend, runner, folder, ...(plugins === undefined ? [] : [plugins.loader, ...plugins.files])]
  const spawn = () => {
    const started = fork(fileURLToPath(new URL(program.entry, import.meta.url)), args, {
      execArgv: program.execArgv,
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    started.once("exit", (code, signal) =>
      ended(`the process that computes ended with ${signal === null ? `code ${code}` : signal}`)
    )
    child = started
    return started
  }
  const protocol = yield* Layer.build(
    RpcClient.layerProtocolWorker({ size: 1, concurrency: 1000 }).pipe(Layer.provide(NodeWorker.layer(spawn)))
  )
  const client = yield* RpcClient.make(UnitRpcs).pipe(Effect.provideContext(protocol))
  const { milliseconds } = yield* StillPatience
  const killStill = Effect.gen(function* () {
    yield* untilStill(child!.pid!, client.Answer())
    ended(
      `the process that computes has neither computed nor answered for ${formatDuration(milliseconds)} and was killed`
    )
    child!.kill("SIGKILL")
  })
  yield* Effect.forkScoped(killStill)
  return client
})
