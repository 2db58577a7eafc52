/**
 * A child process that runs the toy recipe: `run.ts DIRECTORY RECIPE.json [fresh]`.
 * It prints `ready` when it begins to work; the tests kill, interrupt and continue it.
 */
import { readFileSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Recipe, RunDirectory, runMain, Sinks } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { toyStages } from "./stages.ts"

const [directory = "", recipeFile = "", mode = ""] = process.argv.slice(2)
const program = Effect.gen(function* () {
  const recipe = yield* Recipe.decode(toyStages, JSON.parse(readFileSync(recipeFile, "utf8")))
  process.stdout.write("ready\n")
  yield* Recipe.run(recipe)
})
const layer = Sinks.terminal().pipe(
  Layer.provideMerge(RunDirectory.layer(directory, { fresh: mode === "fresh" })),
  Layer.provideMerge(NodeServices.layer)
)
runMain(Effect.provide(program, layer))
