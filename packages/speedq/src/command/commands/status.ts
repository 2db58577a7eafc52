/** `speedq status`: how far a run is. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NoRun } from "../../Errors.ts"
import { json } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const status = Command.make(
  "status",
  {
    directory: Argument.String("run").pipe(
      Argument.withDescription('directory of the run, as given to "speedq run --out"')
    ),
    plugins,
    json
  },
  Effect.fn("speedq status")(function* ({ directory, json }) {
    const { status: statusOf } = yield* Effect.promise(() => import("@speedq/pipeline"))
    const { describeRuns, describeStatus } = yield* Effect.promise(() => import("../../recipes/describeStatus.ts"))
    const { Extensions } = yield* Effect.promise(() => import("@speedq/stages"))
    const found = yield* statusOf(directory)
    if (Option.isSome(found)) {
      return yield* json ? printJson(found.value) : print(describeStatus(found.value, yield* Extensions))
    }
    const { runsBelow } = yield* Effect.promise(() => import("@speedq/pipeline"))
    const runs = yield* runsBelow(directory)
    if (runs.length === 0) return yield* NoRun.in(directory)
    yield* json ? printJson({ directory, runs }) : print(describeRuns(runs))
  }, withPlugins)
).pipe(
  Command.withShortDescription("Show how far a run is"),
  Command.withDescription(
    "Shows the stages of a run, its latest step and loss, and how it ended; for an ablation, how far each of its runs is. It only reads, so it also works while another process runs it."
  ),
  Command.withExamples([
    { command: "speedq status runs/nano-2bit" },
    { command: "speedq status runs/nano-2bit --json" }
  ])
)
