/** `speedq plan`: what a recipe will do and take, before it does anything. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CannotRun } from "../../Errors.ts"
import { json, off, plannedBackend, settings } from "../flags.ts"
import { givenHere } from "../givenHere.ts"
import { print, printJson } from "../output.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"
import { directory, recipe } from "../recipeFlags.ts"

const layers = off("layers", "show each layer; without it, layers of all blocks that are quantized alike share a line")

const noTime = off("no-time", "do not measure how long the stages take; the times are then unknown")

/** A plan that says no ends with exit code 1, so that a script can ask before it runs. */
const requireFit = ({ fits, problems }: { readonly fits: boolean; readonly problems: readonly unknown[] }) =>
  fits ? Effect.void : new CannotRun({ problems: problems.length })

export const plan = Command.make(
  "plan",
  { recipe, out: directory, set: settings, backend: plannedBackend, layers, noTime, plugins, json },
  Effect.fn("speedq plan")(
    function* ({ recipe, out, set, layers, noTime, json, ...chosen }) {
      const { defaultDirectory } = yield* Effect.promise(() => import("../../recipes/loadRecipe.ts"))
      const { loadWork } = yield* Effect.promise(() => import("../../recipes/loadWork.ts"))
      const { recipeOrMissing } = yield* Effect.promise(() => import("../../plugins/tellMissing.ts"))
      const given = givenHere()
      const work = yield* loadWork(recipe, set, "speedq plan --help").pipe(
        Effect.catchTag("RecipeInvalid", (error) => recipeOrMissing(given(recipe), Option.map(out, given), error))
      )
      const directoryOf = (name: string, own?: string) =>
        Option.match(out, { onNone: () => own ?? defaultDirectory(name), onSome: given })
      const choices = { time: !noTime, backend: Option.getOrUndefined(chosen.backend) }
      if (work._tag === "Ablation") {
        const { describeAblationPlan, planAblation } = yield* Effect.promise(
          () => import("../../recipes/planAblation.ts")
        )
        const planned = yield* planAblation(work.ablation, directoryOf(work.ablation.name), choices)
        yield* json ? printJson({ recipe, ...planned }) : print(describeAblationPlan(planned))
        return yield* requireFit(planned)
      }
      const { describePlan, planRecipe } = yield* Effect.promise(() => import("../../recipes/planRecipe.ts"))
      const directory = directoryOf(work.recipe.settings.name, work.directory)
      const planned = yield* planRecipe(work.recipe, directory, choices)
      yield* json ? printJson({ recipe, ...planned }) : print(describePlan(planned, { eachLayer: layers }))
      yield* requireFit(planned)
    },
    Effect.scoped,
    withPlugins
  )
).pipe(
  Command.withShortDescription("Show what a recipe will do and what it needs"),
  Command.withDescription(
    "Shows whether the run fits this machine, the memory, disk space and time of each stage, the size of the quantized model, and which rule gives which layers their quantizer. It reads no weights: for a model that is not downloaded yet, it uses the shipped config of that name. For an ablation it shows each variant, and counts shared stages once."
  ),
  Command.withExamples([
    { command: "speedq plan internvl3-1b-2bit --set model=models/InternVL3-1B" },
    { command: "speedq plan my-recipe.json --json" },
    {
      command: "speedq plan internvl3-1b-2bit --backend gpujs:webgpu --set memory.device=16GiB",
      description: "what it takes of a GPU's memory, and of the host's"
    },
    { command: "speedq plan nano-ablation" }
  ])
)
