/**
 * `npm run quickstart`: quantizes the shipped nano model to 2 and to 4 bits, all stages and evaluation included, and prints
 * the table of what each stage did. Interrupted, it continues. Paths are those of the repository, where npm runs scripts.
 */
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { distinctStages, formatDuration, OtherRuns, Preflight, runMain } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { tellingHowToContinue } from "../command/commandLine.ts"
import { print, remark } from "../command/output.ts"
import { fittingTable } from "../command/textTable.ts"
import { NanoMissing } from "../Errors.ts"
import { loadRecipe } from "../recipes/loadRecipe.ts"
import { type RunResult, runRecipe } from "../recipes/runRecipe.ts"

const model = join("data", "nano", "model")
const recipes = ["nano-2bit", "nano-4bit"]

const fileOf = (name: string): string => join("configs", `${name}.json`)
const directoryOf = (name: string): string => join("runs", name)
const recipeOf = (name: string) => loadRecipe(fileOf(name), [], "npm run quickstart")

/** Seconds that all stages which are left will take, those that recipes have in common counted once; undefined where one is unknown. */
const secondsLeft = Effect.gen(function* () {
  const left = new Map<string, number | undefined>()
  for (const name of recipes) {
    const recipe = yield* recipeOf(name)
    const { stages } = yield* Preflight.plan(recipe, directoryOf(name))
    for (const [at, id] of distinctStages(recipe).entries()) {
      const stage = stages[at]
      if (stage !== undefined && !left.has(id)) left.set(id, stage.finished ? 0 : stage.forecast.seconds)
    }
  }
  return [...left.values()].reduce(
    (sum, seconds) => (sum === undefined || seconds === undefined ? undefined : sum + seconds),
    0
  )
})

const forecast = (seconds: number | undefined): string => {
  if (seconds === undefined) return "how long this machine takes is not known"
  return seconds === 0
    ? "every stage is finished"
    : `by its plan, this machine takes about ${formatDuration(1000 * seconds)}`
}

const runOne = Effect.fnUntraced(function* (name: string) {
  yield* remark(`speedq run ${fileOf(name)}`)
  const recipe = yield* recipeOf(name)
  // What the recipes have in common, such as the scores of full precision, is computed once.
  const others = recipes.filter((other) => other !== name).map((other) => resolve(directoryOf(other)))
  return yield* runRecipe(recipe, {
    directory: directoryOf(name),
    backend: "auto",
    fresh: false,
    records: {},
    command: "npm run quickstart"
  }).pipe(Effect.provideService(OtherRuns, others))
})

/** The evaluations of several runs as one table: a row that an earlier run has, such as full precision, is not repeated. */
const together = (runs: readonly RunResult[]): string => {
  const tables = runs.flatMap(({ tables }) => tables.filter(({ title }) => title === "Evaluation"))
  const rows = tables.flatMap((table) => table.rows)
  const first = rows.filter((row, index) => rows.findIndex(([title]) => title === row[0]) === index)
  return fittingTable(tables[0]?.columns ?? [], first)
}

const quickstart = Effect.gen(function* () {
  yield* remark(
    "quantizes the nano model that comes with this repository to 2 and to 4 bits and scores it after each stage; Ctrl-C saves"
  )
  if (!existsSync(join(model, "model.safetensors"))) return yield* new NanoMissing({ directory: model })
  yield* remark(forecast(yield* secondsLeft))
  const runs = yield* Effect.forEach(recipes, runOne)
  yield* print(["", together(runs), "", ...runs.map(({ report }) => `report: ${report}`)].join("\n"))
}).pipe(tellingHowToContinue("npm run quickstart"))

runMain(quickstart.pipe(Effect.provide(NodeServices.layer)), { debug: process.argv.includes("--debug") })
