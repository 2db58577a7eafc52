/** Runs a recipe of real stages in a child process, which can be killed when it says that it has done a step. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

export interface NanoEnded {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs to the end, or to the step `kill` (such as `05-qat 3`), at which the child gets `signal`. */
export const runNano = (
  directory: string,
  recipe: string,
  kill?: { readonly at: string; readonly signal: NodeJS.Signals }
): Promise<NanoEnded> => {
  const args = ["--import", "tsx", "-C", "@speedq/source", here("nanoRun.ts"), directory, recipe]
  const child = spawn(process.execPath, args, { cwd: here("../../../.."), stdio: ["ignore", "pipe", "pipe"] })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", (data: Buffer) => {
    const reached = (text: string) => kill !== undefined && text.includes(`${kill.at}\n`)
    const before = stdout
    stdout += data.toString()
    // Once: a second signal would end the child without saving.
    if (kill !== undefined && reached(stdout) && !reached(before)) child.kill(kill.signal)
  })
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
  })
  return new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}
