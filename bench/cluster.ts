/**
 * Steps of a training stage in shards, by a run alone and by one with runners of this host, each a process of one thread: what sharing
 * costs, and how far two runners are from twice as fast. Needs the data of `npm run micro`, or `--data DIR`. `--model DIR --layers N` takes
 * a model's first N layers in place of micro, `--runners 0,1` those numbers of runners.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { cutModel } from "./cutModel.ts"
import { type Flags, machine, median } from "./measure.ts"

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const speedq = ["--import", "tsx", "-C", "@speedq/source", here("../packages/speedq/src/bin/main.ts")]
const env = { ...process.env, SPEEDQ_THREADS: "1" }

/** Stage 3 of a model, on a tower that is rounded without much learning. */
const recipeOf = (flags: Flags, model: string) => {
  const data = resolve(flags.text("data") ?? here("../data/micro/build"))
  if (!existsSync(join(data, "datasets.json"))) throw new Error(`${data} has no datasets.json: npm run micro makes it`)
  const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
  const adaround = {
    ...{ use: "adaround-vit", images: join(data, "calibration-images.txt"), count: 8, maxTiles: 1, iterations: 1 },
    ...{ learningRate: 0.02, quantizers }
  }
  const qat = {
    ...{ use: "qat", data: { meta: join(data, "datasets.json") }, epochs: 4, learningRate: 0.001, quantizers },
    ...{ batch: flags.number("batch", 8), accumulation: flags.number("accumulation", 8) },
    ...{ shards: flags.number("shards", 4), maxSteps: flags.number("steps", 10), loss: { confidenceBatches: 1 } }
  }
  return { version: 1, name: "cluster", model, seed: 1, stages: [adaround, qat] }
}

/** Resolves when it has said this on one of its streams. */
const said = (child: ChildProcess, what: RegExp) =>
  new Promise<void>((done, fail) => {
    let output = ""
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on("data", (data: Buffer) => {
        output += data.toString()
        if (what.test(output)) done()
      })
    }
    child.once("close", (code) => fail(new Error(`ended with ${code}:\n${output}`)))
  })

const started = (args: readonly string[]) =>
  spawn(process.execPath, [...speedq, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })

/** Seconds of each step of the trained stage but the first, by the run's log. */
const stepSeconds = (directory: string): readonly number[] => {
  const events = readFileSync(join(directory, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  const at = events
    .filter(({ event, stage }) => event === "StepDone" && /qat/.test(stage))
    .map(({ at }) => Date.parse(at))
  return at.slice(2).map((time, step) => (time - at[step + 1]) / 1000)
}

/** One run with so many runners. */
const measured = async (folder: string, recipe: string, backend: string, runners: number) => {
  const [directory, cluster] = [mkdtempSync(join(folder, "run-")), mkdtempSync(join(folder, "cluster-"))]
  const workers = Array.from({ length: runners }, () => started(["worker", "--backend", backend, "--cluster", cluster]))
  try {
    await Promise.all(workers.map((worker) => said(worker, /Ctrl-C ends it/)))
    const shared = runners === 0 ? [] : ["--cluster", cluster]
    const run = started(["run", recipe, "--out", directory, "--backend", backend, "--fresh", ...shared])
    let output = ""
    run.stderr.on("data", (data: Buffer) => (output += data.toString()))
    run.stdout.resume()
    const code = await new Promise((done) => run.once("close", done))
    if (code !== 0) throw new Error(`the run ended with ${code}:\n${output}`)
    return stepSeconds(directory)
  } finally {
    for (const worker of workers) {
      worker.removeAllListeners("close")
      worker.kill("SIGKILL")
    }
  }
}

export const cluster = async (flags: Flags) => {
  const folder = mkdtempSync(join(tmpdir(), "speedq-bench-cluster-"))
  const backend = flags.text("backend") ?? "native"
  try {
    const [given, layers] = [flags.text("model"), flags.number("layers", 2)]
    const model = given === undefined ? here("../data/micro/model") : join(folder, "model")
    if (given !== undefined) await cutModel(resolve(given), model, layers)
    const recipe = recipeOf(flags, model)
    const file = join(folder, "recipe.json")
    writeFileSync(file, JSON.stringify(recipe))
    const seconds = new Map(
      (flags.text("runners") ?? "0,1,2").split(",").map((count) => [Number(count), [] as number[]])
    )
    // In turns, as other work may come and go.
    for (let round = 0; round < flags.number("rounds", 2); round++) {
      for (const [runners, each] of seconds) each.push(...(await measured(folder, file, backend, runners)))
    }
    const stepOf = (runners: number): number => median(seconds.get(runners) ?? [Number.NaN])
    return {
      case: "cluster",
      ...machine(),
      backend,
      threads: 1,
      stage: recipe.stages.at(-1),
      ...(given === undefined ? {} : { model: given, layers }),
      rows: [...seconds].map(([runners, each]) => ({
        runners,
        step_s: median(each),
        fastest_s: Math.min(...each),
        steps_s: each
      })),
      /** Of a step with one runner, beside one alone. */
      overhead: stepOf(1) / stepOf(0) - 1,
      /** Of two runners: 1 were twice as fast as one. */
      efficiency: stepOf(1) / stepOf(2) / 2
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
