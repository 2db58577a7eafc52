/** `speedq score`: scores a predictions file, also one made elsewhere. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { benchmark, checkBenchmark, data, matcher } from "../benchmarkFlags.ts"
import { json, off } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathArgument } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const score = Command.make(
  "score",
  {
    predictions: pathArgument("predictions", "file").pipe(
      Argument.withDescription("xlsx, tsv or json file with the columns index and prediction")
    ),
    data,
    benchmark,
    matcher,
    partial: off("partial", "allow rows without a prediction; they are left out of every denominator"),
    plugins,
    json
  },
  Effect.fn("speedq score")(function* ({ predictions, data, benchmark, matcher, partial, json }) {
    yield* checkBenchmark(benchmark, "speedq score --help")
    const { renderScore, scoreFile, scoreJson } = yield* Effect.promise(() => import("../../models/scoreFile.ts"))
    const result = yield* scoreFile(predictions, { data, benchmark, matcher, complete: !partial })
    yield* json ? printJson(scoreJson(result)) : print(renderScore(result))
  }, withPlugins)
).pipe(
  Command.withShortDescription("Score predictions made here or elsewhere"),
  Command.withDescription(
    "Scores a predictions file by the rules of VLMEvalKit, without a judge model. Fails if a row has no prediction, unless --partial is given."
  ),
  Command.withExamples([
    { command: "speedq score theirs_MMStar.xlsx --data MMStar.tsv --benchmark MMStar" },
    { command: "speedq score theirs.tsv --data MMBench.tsv --benchmark MMBench_DEV_EN_V11 --matcher head --json" }
  ])
)
