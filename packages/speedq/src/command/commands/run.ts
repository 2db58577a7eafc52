/** `speedq run`: runs a recipe or an ablation, or continues it. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WrongUsage } from "../../Errors.ts"
import { clusterAt, clusterFlag, httpFlags, httpOf, withoutPassword } from "../clusterFlag.ts"
import { CommandLine, writtenCommand } from "../commandLine.ts"
import { backend, json, off, settings } from "../flags.ts"
import { givenHere } from "../givenHere.ts"
import { print, printJson } from "../output.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"
import { directory, recipe } from "../recipeFlags.ts"
import { recordFlags, recordsOf } from "../recordFlags.ts"

export const run = Command.make(
  "run",
  {
    recipe,
    out: directory,
    set: settings,
    backend,
    fresh: off("fresh", "start over: remove what an earlier run left in the directory"),
    cluster: clusterFlag(
      "share shards of training steps, questions of evaluations and runs of an ablation with runners that meet there (speedq worker)"
    ),
    otherBackends: off(
      "other-backends",
      'give evaluations and runs of an ablation also to runners on other backends, whose bits are others; steps of training only where a stage has shardBackends "any"'
    ),
    ...httpFlags,
    ...recordFlags,
    plugins,
    json
  },
  Effect.fn("speedq run")(
    function* ({ recipe, out, set, backend, fresh, cluster, otherBackends, overHttp, listen, json, ...records }) {
      const { defaultDirectory } = yield* Effect.promise(() => import("../../recipes/loadRecipe.ts"))
      const { loadWork } = yield* Effect.promise(() => import("../../recipes/loadWork.ts"))
      const { orMissing, recipeOrMissing } = yield* Effect.promise(() => import("../../plugins/tellMissing.ts"))
      if (otherBackends && Option.isNone(cluster)) {
        const problems = ["--other-backends is about runners: it needs --cluster"]
        return yield* new WrongUsage({ problems, help: "speedq run --help" })
      }
      const http = httpOf({ overHttp, listen })
      if (http !== undefined && Option.isNone(cluster)) {
        const problems = ["--over-http and --listen are about runners: they need --cluster"]
        return yield* new WrongUsage({ problems, help: "speedq run --help" })
      }
      const given = givenHere()
      const work = yield* loadWork(recipe, set, "speedq run --help").pipe(
        Effect.catchTag("RecipeInvalid", (error) => recipeOrMissing(given(recipe), Option.map(out, given), error))
      )
      const command = withoutPassword(writtenCommand(yield* CommandLine))
      const optionsOf = (name: string, own?: string) => ({
        directory: Option.match(out, { onNone: () => own ?? defaultDirectory(name), onSome: given }),
        backend,
        fresh,
        records: recordsOf(records, given),
        cluster: Option.getOrUndefined(Option.map(cluster, (place) => clusterAt(place, given))),
        otherBackends,
        http,
        command
      })
      const { confirmChanges } = yield* Effect.promise(() => import("../../recipes/changedRun.ts"))
      if (work._tag === "Ablation") {
        if (http !== undefined) {
          const problems = [
            "--over-http and --listen are for a recipe: runners compute runs of an ablation in its directory, which all must see"
          ]
          return yield* new WrongUsage({ problems, help: "speedq run --help" })
        }
        const { describeAblation, placesOf, runAblation } = yield* Effect.promise(
          () => import("../../recipes/runAblation.ts")
        )
        const options = optionsOf(work.ablation.name)
        if (!fresh) yield* confirmChanges(options.directory, placesOf(work.ablation, options.directory))
        const outcome = yield* runAblation(work.ablation, options)
        return yield* json ? printJson(outcome) : print(describeAblation(outcome))
      }
      const { describeRun, runRecipe } = yield* Effect.promise(() => import("../../recipes/runRecipe.ts"))
      const options = optionsOf(work.recipe.settings.name, work.directory)
      if (!fresh) yield* confirmChanges(options.directory, [{ recipe: work.recipe, directory: options.directory }])
      const result = yield* runRecipe(work.recipe, options, work.module).pipe(
        Effect.catchTag("PreflightFailed", (error) => orMissing(options.directory, error))
      )
      yield* json ? printJson(result) : print(describeRun(result))
    },
    Effect.scoped,
    withPlugins
  )
).pipe(
  Command.withShortDescription("Run a recipe, or continue it"),
  Command.withDescription(
    "Runs the stages of a recipe, or of every variant and seed of an ablation. A recipe is a JSON file, a module that exports one, the name of a shipped one, or the directory of a run to continue. If the directory holds the same run, it continues after the last saved step and reuses finished stages that are still valid. Ctrl-C finishes the step, saves, and exits with 130."
  ),
  Command.withExamples([
    { command: "speedq run nano-2bit", description: "a shipped recipe, on the shipped model" },
    { command: "speedq run recipe.ts --out runs/mine", description: "a recipe in code: a module that exports it" },
    { command: "speedq run runs/mine", description: "continues the run in that directory" },
    {
      command: "speedq run internvl3-1b-2bit --set model=models/InternVL3-1B --out runs/1b",
      description: "the real model; the same command continues after an interruption"
    },
    { command: "speedq run nano-2bit --set qat.maxSteps=3 --set seed=7 --backend native:none --fresh" },
    {
      command: "speedq run recipe.json --cluster runs/cluster",
      description: "with every speedq worker --cluster runs/cluster, to the same bytes as without"
    },
    {
      command: "SPEEDQ_TOKEN=... speedq run recipe.json --cluster postgres://speedq@db/speedq --listen host-a:4711",
      description: "with runners on machines that share no folder"
    },
    {
      command: "speedq run nano-ablation --set seeds=1,2,3",
      description: "variants of a recipe over several seeds, compared with standard errors"
    }
  ])
)
