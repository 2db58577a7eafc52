/** `speedq init`: a model directory of real shapes with random weights. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { presetNames } from "../../init/presets.ts"
import { defaulted } from "../flagDefaults.ts"
import { json, seed } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathFlag } from "../pathParam.ts"

export const init = Command.make(
  "init",
  {
    config: Flag.Literals("config", presetNames).pipe(Flag.withDescription("shapes of the model")),
    seed: seed.pipe(defaulted("the same seed gives the same bytes", 0)),
    out: pathFlag("out", "DIR", "directory").pipe(Flag.withDescription("a new or empty directory")),
    json
  },
  Effect.fn("speedq init")(function* ({ config, seed, out, json }) {
    const { describeModel, makeModel } = yield* Effect.promise(() => import("../../init/makeModel.ts"))
    const made = yield* makeModel(config, { seed, directory: out })
    yield* json ? printJson(made) : print(describeModel(made))
  })
).pipe(
  Command.withShortDescription("Make a model with random weights of the real shapes"),
  Command.withDescription(
    "Writes a model directory in the hub's layout with seeded random weights, to try out a machine without downloading anything."
  ),
  Command.withExamples([
    {
      command: "speedq init --config nano --seed 1 --out /tmp/nano",
      description: "a third of a million numbers, in an instant"
    },
    {
      command: "speedq init --config internvl3-1b --seed 1 --out models/random-1b",
      description: "938 million numbers, 1.9 GB"
    }
  ])
)
