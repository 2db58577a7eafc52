/** `speedq plan`: what a recipe will do and take, before it does anything. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { json, settings } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { directory, recipe } from "../recipeFlags.ts"

export const plan = Command.make(
  "plan",
  { recipe, out: directory, set: settings, json },
  Effect.fn("speedq plan")(function* ({ recipe, out, set, json }) {
    const { defaultDirectory, loadRecipe } = yield* Effect.promise(() => import("../recipes/loadRecipe.ts"))
    const { describePlan, planRecipe } = yield* Effect.promise(() => import("../recipes/planRecipe.ts"))
    const loaded = yield* loadRecipe(recipe, set, "speedq plan --help")
    const planned = yield* planRecipe(
      loaded,
      Option.getOrElse(out, () => defaultDirectory(loaded))
    )
    yield* json ? printJson({ recipe, ...planned }) : print(describePlan(planned))
  })
).pipe(
  Command.withShortDescription("Show what a recipe will do and take"),
  Command.withDescription(
    "Shows which layer gets which quantizer by which rule, bits and bytes, what each stage takes of memory, disk and time, and whether it fits this machine. Weights are not touched; a model that is not downloaded yet is planned by the shipped config of its name."
  ),
  Command.withExamples([
    { command: "speedq plan configs/internvl3-1b-2bit.json --set model=models/InternVL3-1B" },
    { command: "speedq plan configs/nano-2bit.json --json" }
  ])
)
