/** Runs toy recipes in this process, and collects what they say. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RunDirectory } from "../../src/directory/RunDirectory.ts"
import type { Output } from "../../src/events/sinks/Output.ts"
import * as Sinks from "../../src/events/sinks/Sinks.ts"
import * as Recipe from "../../src/run/Recipe.ts"
import { Sabotage, toyStages } from "../toy/stages.ts"
import type { ToyStage } from "./toyProcess.ts"

/** Collects what is printed. */
export const collect = (isTerminal = false): Output & { readonly text: () => string } => {
  const pieces: Array<string> = []
  return { write: (text) => void pieces.push(text), text: () => pieces.join(""), isTerminal, columns: () => 100 }
}

/** A recipe file's content with toy stages. */
export const recipeOf = (stages: ReadonlyArray<ToyStage>, settings: object = {}) => ({
  version: 1,
  name: "toy",
  model: "none",
  seed: 7,
  save: { everySteps: 2 },
  ...settings,
  stages
})

/** Runs a recipe in `directory` with everything it needs; gives what was printed, and how it ended. */
export const runHere = (
  directory: string,
  recipe: unknown,
  options: { readonly fresh?: boolean; readonly failAt?: { readonly label: string; readonly step: number } } = {}
) =>
  Effect.gen(function* () {
    const output = collect()
    const layer = Sinks.plainLines(output).pipe(
      Layer.provideMerge(RunDirectory.layer(directory, options)),
      Layer.provideMerge(NodeServices.layer)
    )
    const exit = yield* Recipe.decode(toyStages, recipe).pipe(
      Effect.flatMap(Recipe.run),
      Effect.provide(layer),
      Effect.provideService(Sabotage, options.failAt),
      Effect.exit
    )
    return { exit, printed: output.text() }
  })
