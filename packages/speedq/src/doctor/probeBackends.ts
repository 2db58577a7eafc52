/** Tries backends in child processes; one that brings its process down is reported like one that does not answer. */
import { fork } from "node:child_process"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type { BackendReport } from "./BackendReport.ts"

/** TypeScript when this module is; the loaders are inherited. */
const program = fileURLToPath(new URL(`./probe${extname(import.meta.url)}`, import.meta.url))

interface Ended {
  readonly reports: readonly BackendReport[]
  /** How the process ended, for the backend that it was at. */
  readonly ending: string
}

const probeTogether = (names: readonly string[]): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const reports: BackendReport[] = []
    const child = fork(program, names, { stdio: ["ignore", "ignore", "pipe", "ipc"] })
    let complaint = ""
    child.stderr?.on("data", (text: Buffer) => {
      complaint = `${complaint}${text}`.slice(-2000)
    })
    child.on("message", (report) => reports.push(report as BackendReport))
    child.on("error", ({ message }) => resume(Effect.succeed({ reports, ending: message })))
    child.on("close", (code, signal) => {
      const last = complaint.trim().split("\n").at(-1)
      const ending = `its process ended with ${signal ?? `code ${code}`}${last ? `: ${last}` : ""}`
      resume(Effect.succeed({ reports, ending }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** One report a name, in order. */
export const probeBackends: (names: readonly string[]) => Effect.Effect<readonly BackendReport[]> = Effect.fnUntraced(
  function* (names) {
    if (names.length === 0) return []
    const { reports, ending } = yield* probeTogether(names)
    const crashed = names[reports.length]
    if (crashed === undefined) return reports
    const rest = yield* probeBackends(names.slice(reports.length + 1))
    return [...reports, { name: crashed, answers: false, reason: ending }, ...rest]
  }
)
