/** `speedq merge`: predictions and score of an evaluation that was asked in shards. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benchmark, checkBenchmark, data, imageStore, matcher } from "../benchmarkFlags.ts"
import { answerName, limit, predictionFormat } from "../evaluationFlags.ts"
import { json } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathArgument } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const merge = Command.make(
  "merge",
  {
    directory: pathArgument("dir", "directory").pipe(
      Argument.withDescription("--out of the shards, with their directories shard-1-of-N and so on")
    ),
    data,
    benchmark,
    matcher,
    limit,
    imageStore,
    name: answerName.pipe(
      Flag.withDescription("name of the model in file names; default: the only one of the shards"),
      Flag.optional
    ),
    format: predictionFormat,
    plugins,
    json
  },
  Effect.fn("speedq merge")(function* ({ directory, benchmark, limit, name, json, ...request }) {
    yield* checkBenchmark(benchmark, "speedq merge --help")
    const [{ describeEvaluation, evaluationJson }, { mergeDirectory }] = yield* Effect.promise(() =>
      Promise.all([import("../../models/evaluateDirectory.ts"), import("../../models/mergeDirectory.ts")])
    )
    const { data, matcher, imageStore, format } = request
    const evaluated = yield* mergeDirectory(directory, {
      ...{ data, benchmark, matcher, imageStore, format },
      limit: Option.getOrUndefined(limit),
      name: Option.getOrUndefined(name)
    })
    yield* json ? printJson(evaluationJson(evaluated)) : print(describeEvaluation(evaluated))
  }, withPlugins)
).pipe(
  Command.withShortDescription("Put the shards of an evaluation together"),
  Command.withDescription(
    "Writes the predictions and the score of an evaluation whose rows several processes or machines asked with evaluate --shard, as one process would have written them. Asks nothing and needs no model; fails where a row has no answer."
  ),
  Command.withExamples([{ command: "speedq merge evaluations --data MMStar.tsv --benchmark MMStar" }])
)
