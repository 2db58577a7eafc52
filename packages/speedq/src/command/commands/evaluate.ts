/** `speedq evaluate`: asks a model the questions of a benchmark, and scores its answers. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { benchmark, checkBenchmark, data, imageStore, matcher } from "../benchmarkFlags.ts"
import { clusterFlag } from "../clusterFlag.ts"
import { answerName, limit, predictionFormat, shard } from "../evaluationFlags.ts"
import { defaulted } from "../flagDefaults.ts"
import { activations, arithmetic, backend, json, maxPixels, model, verify } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathFlag } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const evaluate = Command.make(
  "evaluate",
  {
    model,
    data,
    benchmark,
    matcher,
    limit,
    shard,
    cluster: clusterFlag("share the questions with runners that meet there (speedq worker)"),
    maxPixels,
    imageStore,
    out: pathFlag("out", "DIR", "directory").pipe(
      defaulted("directory for answers, predictions and score", "evaluations")
    ),
    name: answerName.pipe(
      Flag.withDescription(
        "name of the model in file names; default: the name of its directory, or run and format: mine-packed for runs/mine/model/packed"
      ),
      Flag.optional
    ),
    format: predictionFormat,
    verify,
    backend,
    arithmetic,
    activations,
    plugins,
    json
  },
  Effect.fn("speedq evaluate")(function* ({
    model,
    data,
    benchmark,
    matcher,
    limit,
    shard,
    cluster,
    maxPixels,
    imageStore,
    out,
    name,
    format,
    verify,
    backend,
    arithmetic,
    activations,
    json
  }) {
    yield* checkBenchmark(benchmark, "speedq evaluate --help")
    const { describeEvaluation, evaluateDirectory, evaluateShardOf, evaluationJson } = yield* Effect.promise(
      () => import("../../models/evaluateDirectory.ts")
    )
    const request = {
      data,
      benchmark,
      matcher,
      limit: Option.getOrUndefined(limit),
      maxPixels: Option.getOrUndefined(maxPixels),
      imageStore,
      out,
      name: Option.getOrUndefined(name),
      format,
      verify,
      arithmetic,
      activations,
      cluster: Option.getOrUndefined(cluster)
    }
    if (Option.isSome(shard)) {
      const done = yield* evaluateShardOf(model, shard.value, request, backend)
      return yield* json
        ? printJson(done)
        : print(`${done.answered} of ${done.rows} rows are answered in ${done.journalFile}`)
    }
    const evaluated = yield* evaluateDirectory(model, request, backend)
    yield* json ? printJson(evaluationJson(evaluated)) : print(describeEvaluation(evaluated))
  }, withPlugins)
).pipe(
  Command.withShortDescription("Ask a model the questions of a benchmark, and score its answers"),
  Command.withDescription(
    "Asks every row with InternVL3's prompts and settings, saves each answer immediately, writes the predictions file that VLMEvalKit reads, and scores it. The same command continues where it stopped."
  ),
  Command.withExamples([
    { command: "speedq evaluate models/InternVL3-1B --data MMStar.tsv --benchmark MMStar --limit 20" },
    { command: "speedq evaluate models/InternVL3-1B --data MMStar.tsv --benchmark MMStar --shard 2/3" },
    {
      command: "speedq evaluate models/InternVL3-1B --data MMStar.tsv --benchmark MMStar --cluster runs/cluster",
      description: "with every speedq worker --cluster runs/cluster, to the same files as without"
    },
    {
      command:
        "speedq evaluate runs/nano/model/packed --data speedq:data/nano/evaluation/short.tsv --benchmark nano --json"
    }
  ])
)
