/** `speedq doctor`: what this machine offers. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json } from "../flags.ts"
import { print, printJson } from "../output.ts"

export const doctor = Command.make(
  "doctor",
  { json },
  Effect.fn("speedq doctor")(function* ({ json }) {
    const { examine } = yield* Effect.promise(() => import("../../doctor/examine.ts"))
    const examination = yield* examine(process.cwd())
    if (json) return yield* printJson(examination)
    const { describeMachine } = yield* Effect.promise(() => import("../../doctor/describeMachine.ts"))
    yield* print(describeMachine(examination))
  })
).pipe(
  Command.withShortDescription("Show what this machine offers"),
  Command.withDescription(
    "Shows cores, memory and disk space. Tries every backend and measures how fast it multiplies matrices. Says what could be installed and how that would help. Takes a few seconds."
  ),
  Command.withExamples([{ command: "speedq doctor" }, { command: "speedq doctor --json" }])
)
