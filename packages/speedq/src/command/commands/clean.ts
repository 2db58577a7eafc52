/** `speedq clean`: removes what a run no longer uses. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { canAsk, confirm } from "../confirm.ts"
import { json, off } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathArgument } from "../pathParam.ts"

const yes = off("yes", "remove it; without it, the command asks on a terminal and removes nothing elsewhere")

export const clean = Command.make(
  "clean",
  {
    directory: pathArgument("run", "directory").pipe(Argument.withDescription("directory of the run")),
    yes,
    json
  },
  Effect.fn("speedq clean")(function* ({ directory, yes, json }) {
    const { acquireLock, removeSuperfluous, superfluousIn } = yield* Effect.promise(() => import("@speedq/pipeline"))
    const { describeRemoval, describeSuperfluous } = yield* Effect.promise(
      () => import("../../recipes/describeSuperfluous.ts")
    )
    const { recordOfRun } = yield* Effect.promise(() => import("../../recipes/recordOfRun.ts"))
    yield* recordOfRun(directory)
    yield* acquireLock(directory)
    const found = yield* superfluousIn(directory)
    const { superfluous, foreign } = found
    if (!json) yield* print(describeSuperfluous(directory, found))
    const removes =
      superfluous.length > 0 && (yes || (!json && canAsk() && (yield* confirm("Remove it? It cannot be undone."))))
    if (removes) yield* removeSuperfluous(directory, superfluous)
    if (json) return yield* printJson({ directory, removed: removes, superfluous, foreign })
    if (superfluous.length > 0) yield* print(describeRemoval(superfluous, removes))
  }, Effect.scoped)
).pipe(
  Command.withShortDescription("Remove what a run no longer uses"),
  Command.withDescription(
    "Lists what a run no longer uses, with its size: results that a changed recipe left in superseded/, the files that these results wrote elsewhere in the run, damaged files that were moved aside, old states, and files that a killed process left half written. It removes them with --yes, or when you say so on a terminal. It touches only what the manifests of the run prove to be its own, and no run that is at work."
  ),
  Command.withExamples([
    { command: "speedq clean runs/nano-2bit", description: "what can be removed" },
    { command: "speedq clean runs/nano-2bit --yes" }
  ])
)
