/** The shim in C, built where there is a compiler: it strikes below everything that JavaScript sees. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** What the shim does to a process in change `at` of the files below `directory`. */
export interface Strike {
  readonly directory: string
  readonly at: number
  readonly mode: "before" | "within" | "after" | "error"
  readonly errno?: number
}

/** The environment of a process that is struck. */
export type Striking = (strike: Strike) => NodeJS.ProcessEnv

const source = fileURLToPath(new URL("shim.c", import.meta.url))

/** Builds the shim into `scratch`; undefined, and said, where that cannot be. */
export const buildShim = (scratch: string, say: (line: string) => void): Striking | undefined => {
  const library = join(scratch, "shim.so")
  const { error, status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], {
    encoding: "utf8"
  })
  if (error !== undefined || status !== 0) {
    say(`no shim, so operations are struck from JavaScript alone: ${error?.message ?? stderr.trim()}`)
    return undefined
  }
  return ({ directory, at, mode, errno }) => ({
    LD_PRELOAD: library,
    SHIM_DIRECTORY: directory,
    SHIM_AT: String(at),
    SHIM_MODE: mode,
    ...(errno === undefined ? {} : { SHIM_ERRNO: String(errno) })
  })
}
