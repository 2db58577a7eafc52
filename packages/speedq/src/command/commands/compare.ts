/** `speedq compare`: finished runs side by side. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { json } from "../flags.ts"
import { print, printJson, remark } from "../output.ts"
import { pathArgument, pathFlag } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const compare = Command.make(
  "compare",
  {
    runs: pathArgument("run", "directory").pipe(
      Argument.withDescription("directories of two or more runs; the first is what the others are compared with"),
      Argument.atLeast(2)
    ),
    out: pathFlag("out", "FILE", "file").pipe(
      Flag.withDescription("also write the comparison as a page"),
      Flag.optional
    ),
    plugins,
    json
  },
  Effect.fn("speedq compare")(function* ({ runs, out, json }) {
    const { compareRuns } = yield* Effect.promise(() => import("../../compare/compareRuns.ts"))
    const { describeComparison } = yield* Effect.promise(() => import("../../compare/describeComparison.ts"))
    const { writeComparison } = yield* Effect.promise(() => import("../../compare/writeComparison.ts"))
    const comparison = yield* compareRuns(runs)
    if (Option.isSome(out)) yield* writeComparison(out.value, comparison)
    yield* json ? printJson(comparison) : print(describeComparison(comparison))
    if (Option.isSome(out)) yield* remark(`the page is ${out.value}`)
  }, withPlugins)
).pipe(
  Command.withShortDescription("Compare finished runs: settings, scores, sizes"),
  Command.withDescription(
    "Shows the settings in which the recipes of the runs differ, and the scores, divergence and size of their last evaluations, with differences from the first run. Differences have 95 % intervals; where two runs answered the same questions, they are compared question by question. It only reads."
  ),
  Command.withExamples([
    { command: "speedq compare runs/nano-2bit runs/nano-4bit" },
    { command: "speedq compare runs/a runs/b runs/c --out comparison.html" },
    { command: "speedq compare runs/a runs/b --json" }
  ])
)
