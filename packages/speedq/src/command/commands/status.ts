/** `speedq status`: how far a run is. */

import { isTerminal } from "@speedq/pipeline"
import * as Clock from "effect/Clock"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NoRun, WrongUsage } from "../../Errors.ts"
import { json, off } from "../flags.ts"
import { print, printJson, printScreen } from "../output.ts"
import { pathArgument } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

const watch = off("watch", "show it again every two seconds until no run is at work any more")

/** The runs in and below a directory, and how they are described. */
const look = Effect.fnUntraced(function* (directory: string) {
  const { status: statusOf, readRunners, runsBelow } = yield* Effect.promise(() => import("@speedq/pipeline"))
  const { describeRuns, describeStatus } = yield* Effect.promise(() => import("../../recipes/describeStatus.ts"))
  const { Extensions } = yield* Effect.promise(() => import("@speedq/stages"))
  const now = yield* Clock.currentTimeMillis
  const found = Option.getOrUndefined(yield* statusOf(directory))
  if (found !== undefined) {
    return { runs: [found], json: found, text: describeStatus(found, now, yield* Extensions) }
  }
  const runs = yield* runsBelow(directory)
  // A table for people: one that cannot be read says nothing of the runs.
  const runners = yield* Effect.orElseSucceed(readRunners(directory), () => undefined)
  // Of answers that runners share there is that table alone.
  if (runs.length === 0 && runners === undefined) return yield* NoRun.in(directory)
  const shared = runners === undefined ? {} : { runners }
  return { runs, json: { directory, runs, ...shared }, text: describeRuns(runs, now, runners) }
})

/** Shows it until no run works any more: on a terminal on a cleared screen, elsewhere whenever a run or stage has another state. */
const watchRuns = Effect.fnUntraced(function* (directory: string) {
  let shown = ""
  while (true) {
    const { runs, text } = yield* look(directory)
    const states = JSON.stringify(runs.map(({ state, stages }) => [state, stages.map((stage) => stage.state)]))
    if (isTerminal(process.stdout)) yield* printScreen(text)
    else if (states !== shown) yield* print(shown === "" ? text : `\n${text}`)
    shown = states
    if (!runs.some(({ state }) => state === "running" || state === "unknown")) return
    yield* Effect.sleep("2 seconds")
  }
})

export const status = Command.make(
  "status",
  {
    directory: pathArgument("run", "directory").pipe(
      Argument.withDescription('directory of a run, as given to "speedq run --out", or a folder with runs below it')
    ),
    watch,
    plugins,
    json
  },
  Effect.fn("speedq status")(function* ({ directory, watch, json }) {
    if (watch && json) {
      return yield* new WrongUsage({ problems: ["--watch shows text; leave out --json"], help: "speedq status --help" })
    }
    if (watch) return yield* watchRuns(directory)
    const found = yield* look(directory)
    yield* json ? printJson(found.json) : print(found.text)
  }, withPlugins)
).pipe(
  Command.withShortDescription("Show how far a run is"),
  Command.withDescription(
    "Shows how much of a run is done, how long it has worked and how long it still takes, its stages with their latest step and loss, the scores so far, what is stale, and how it ended. For a folder, such as that of an ablation, it lists the runs below it, and the runners that compute them; for that of an evaluation, the runners. It only reads, so it also works while another process runs it."
  ),
  Command.withExamples([
    { command: "speedq status runs/nano-2bit" },
    { command: "speedq status runs/nano-2bit --watch" },
    { command: "speedq status runs", description: "all runs below a folder" },
    { command: "speedq status runs/nano-2bit --json" }
  ])
)
