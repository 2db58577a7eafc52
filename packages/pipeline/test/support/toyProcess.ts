/** Runs the toy recipe in a child process. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"
import { bundleOf, root } from "./program.ts"

/** The program that runs toy recipes. */
export const toyProgram = fileURLToPath(new URL("../toy/run.ts", import.meta.url))

/** A directory that is removed after the test. */
export const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-pipeline-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface ToyStage {
  readonly use: string
  readonly [option: string]: unknown
}

/** Writes a recipe file of toy stages that saves every two steps. */
export const writeRecipe = (file: string, stages: ReadonlyArray<ToyStage>, settings: object = {}): string => {
  const recipe = { version: 1, name: "toy", model: "none", seed: 7, save: { everySteps: 2 }, ...settings, stages }
  writeFileSync(file, JSON.stringify(recipe))
  return file
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface ToyProcess {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  /** Closes our end of its standard error, as a reader does that has seen enough. */
  readonly stopReading: () => void
  /** When standard error or output holds this text. Rejects when the process ends without. */
  readonly says: (text: string) => Promise<void>
  readonly ended: Promise<Ended>
}

/** Starts a child. `env` sets faults; `user` runs it as another user, which only root can. */
export const startToy = (
  directory: string,
  recipe: string,
  options: { readonly env?: NodeJS.ProcessEnv; readonly user?: number; readonly fresh?: boolean } = {}
): ToyProcess => {
  const args = [...bundleOf(toyProgram), directory, recipe, options.fresh ? "fresh" : ""]
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user })
  })
  let stdout = ""
  let stderr = ""
  const waiting = new Set<() => void>()
  child.stdout.on("data", (data: Buffer) => {
    stdout += data.toString()
    for (const check of waiting) check()
  })
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
    for (const check of waiting) check()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stderr }))
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    stopReading: () => void child.stderr.destroy(),
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!(stdout + stderr).includes(text)) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        void ended.then(() => reject(new Error(`ended without saying "${text}":\n${stdout}\n${stderr}`)))
        check()
      })
  }
}

/** Runs a child to its end. */
export const runToy = (...args: Parameters<typeof startToy>): Promise<Ended> => startToy(...args).ended
