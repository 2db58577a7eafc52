/** Runs a program to its end in a directory. */
import { spawn } from "node:child_process"
import { assert } from "vitest"

export interface Ended {
  readonly stdout: string
  readonly stderr: string
}

// What npm tells its scripts is about this repository; a user's shell has none of it.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle|command|config_local)|INIT_CWD)/.test(name))
)

/** Fails where the program does, with all that it said. */
export const execute = (command: string, args: readonly string[], cwd: string): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...environment, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", reject)
    child.on("close", (code) => {
      try {
        assert.strictEqual(code, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`)
        resolve({ stdout, stderr })
      } catch (error) {
        reject(error)
      }
    })
  })

export const node = (args: readonly string[], cwd: string): Promise<Ended> => execute(process.execPath, args, cwd)
