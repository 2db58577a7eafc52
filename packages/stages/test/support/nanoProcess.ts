/** Runs a recipe of real stages in a child process, with faults: killed or signalled at a moment, short of disk. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { programOf, root } from "../../../pipeline/test/support/program.ts"

const program = fileURLToPath(new URL("nanoRun.ts", import.meta.url))

export interface NanoEnded {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** What happens to the child. */
export interface NanoFaults {
  /** A signal some milliseconds (0 by default) after the line, such as `05-qat 3`, was said. */
  readonly kill?: { readonly at: RegExp; readonly signal: NodeJS.Signals; readonly after?: number }
  /** Environment for `toy/faults.ts` and `nanoRun.ts`. */
  readonly env?: NodeJS.ProcessEnv
  /** A command that the child's own follows as arguments. */
  readonly within?: readonly string[]
}

/** Runs to the end, or to what the faults make of it. */
export const runNano = (
  directory: string,
  recipe: string,
  { kill, env = {}, within = [] }: NanoFaults = {}
): Promise<NanoEnded> => {
  const own = [process.execPath, ...programOf(program), directory, recipe]
  const [command = "", ...args] = [...within, ...own]
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let stdout = ""
  let stderr = ""
  let reached = false
  child.stdout.on("data", (data: Buffer) => {
    stdout += data.toString()
    // Once: a second signal would end the child without saving.
    if (kill === undefined || reached || !kill.at.test(stdout)) return
    reached = true
    setTimeout(() => child.kill(kill.signal), kill.after ?? 0)
  })
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
  })
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
