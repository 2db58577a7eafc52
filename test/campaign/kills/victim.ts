/** Processes that run a recipe in a directory. */
import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundleOf, root } from "../../../packages/pipeline/test/support/program.ts"
import { resultsOf } from "../../../packages/pipeline/test/support/results.ts"
import { nothingTold, type Told, toyRecipe } from "../runs.ts"

/** After this a process counts as one that hangs; the time does not count in which others have the processors that it could use. */
const patience = 120_000

/** Milliseconds that a process waited for a processor, as Linux tells. */
const waited = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6
  } catch {
    return 0
  }
}

/** A signal, some milliseconds after the process began to work. */
export interface Signal {
  readonly name: NodeJS.Signals
  readonly after: number
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly told: Told
  readonly stderr: string
  readonly hung: boolean
}

const finished = Number.POSITIVE_INFINITY

/** What a run printed about what it saved and where it went on. */
const toldBy = (stderr: string): Told => {
  const told = nothingTold()
  for (const line of stderr.split("\n")) {
    const [, place = "", words = ""] = /^(\d\d-[^:]+): (.*)$/.exec(line) ?? []
    const saved = /^saved \w+ (\d+)/.exec(words)?.[1]
    const continuing = /^continuing after \w+ (\d+)/.exec(words)?.[1]
    if (saved !== undefined) told.acknowledged.set(place, Number(saved))
    if (words.startsWith("finished in")) told.acknowledged.set(place, finished)
    if (continuing !== undefined) told.wentOnAt.set(place, Number(continuing))
    if (/^\d+ \w+$/.test(words)) told.wentOnAt.set(place, 0)
    if (words === "finished before, reused") told.wentOnAt.set(place, finished)
  }
  return told
}

export class Victim {
  readonly name: string
  readonly #program: readonly string[]
  readonly #recipe: string
  /** What it says on standard output when it begins to work. */
  readonly #begins: RegExp
  /** Milliseconds and results of a run that nothing disturbed. */
  milliseconds = 0
  results: ReturnType<typeof resultsOf> = {}

  constructor(name: string, program: readonly string[], recipe: string, begins: RegExp) {
    this.name = name
    this.#program = program
    this.#recipe = recipe
    this.#begins = begins
  }

  /** Runs once without a fault, to know how long it takes and what comes of it. */
  async prepare(directory: string): Promise<void> {
    const began = performance.now()
    let working = began
    const { code, stderr } = await this.run(directory, {}, undefined, () => (working = performance.now()))
    if (code !== 0) throw new Error(`a process that nothing disturbs failed: ${stderr}`)
    this.milliseconds = performance.now() - working
    this.results = resultsOf(directory)
  }

  /** Runs in a process to its end, whatever ends it. */
  run(directory: string, env: NodeJS.ProcessEnv, signal?: Signal, working: () => void = () => {}): Promise<Ended> {
    const child = spawn(process.execPath, [...this.#program, directory, this.#recipe], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    let begun = false
    let hung = false
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString()
      if (begun || !this.#begins.test(stdout)) return
      begun = true
      working()
      if (signal !== undefined) setTimeout(() => child.kill(signal.name), signal.after).unref()
    })
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString()
    })
    const began = performance.now()
    const watchdog = setInterval(() => {
      if (performance.now() - began - waited(child.pid!) < patience) return
      hung = true
      child.kill("SIGKILL")
    }, 1000)
    return new Promise((resolve) => {
      child.on("close", (code, ended) => {
        clearInterval(watchdog)
        resolve({ code, signal: ended, told: toldBy(stderr), stderr, hung })
      })
    })
  }
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** Starts in a third of a second. */
export const toyVictim = (scratch: string): Victim => {
  const recipe = join(scratch, "toy.json")
  writeFileSync(recipe, JSON.stringify(toyRecipe))
  return new Victim("toy", bundleOf(here("../../../packages/pipeline/test/toy/run.ts")), recipe, /^ready/)
}
