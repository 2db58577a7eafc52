/** What the machine offers, for the checks before work. A reference, so that tests and limits can replace it. */
import { statfs } from "node:fs/promises"
import { arch, cpus, hostname, platform, totalmem } from "node:os"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { formatBytes } from "../text/format.ts"

export interface Machine {
  /** What it is, in words, for the run's record. */
  readonly description: { readonly [name: string]: string }
  /** Bytes of memory that this process can still get, limits of its control group included. */
  readonly memoryBytes: Effect.Effect<number>
  /** Bytes free on the file system of a directory that exists; undefined where the system does not say. */
  readonly diskFreeBytes: (directory: string) => Effect.Effect<number | undefined>
}

export const Machine = Context.Reference<Machine>("@speedq/pipeline/Machine", {
  defaultValue: () => ({
    description: {
      host: hostname(),
      system: `${platform()} ${arch()}`,
      processor: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
      memory: formatBytes(totalmem())
    },
    memoryBytes: Effect.sync(() => process.availableMemory()),
    diskFreeBytes: (directory) =>
      Effect.tryPromise(() => statfs(directory)).pipe(
        Effect.map(({ bavail, bsize }) => bavail * bsize),
        Effect.orElseSucceed(() => undefined)
      )
  })
})

/**
 * Further facts that the bits of a run rest on, for its record, for example `{ backend: "native (OpenBLAS 0.3.21)" }`.
 * A continued run warns when one of them changed.
 */
export const Surroundings = Context.Reference<{ readonly [name: string]: string }>("@speedq/pipeline/Surroundings", {
  defaultValue: () => ({})
})

/** The fact that names the module which a recipe in code came from: whoever continues the run may have to run it. */
export const recipeModule = "recipe module"

/** The fact that names the command line that began or last continued the run. */
export const runCommand = "command"
