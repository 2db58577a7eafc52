/** Scores the model as it stands after the stages before: benchmarks, and its divergence from the full-precision model. A step is some rows. */
import { existsSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import {
  benchmarkNamed,
  findBenchmark,
  type RowImageOptions,
  readPredictions,
  scoreWithMarks,
  writePredictions,
  writeScore
} from "@speedq/evaluation"
import {
  deployModel,
  type LanguageModel,
  modelSize,
  Rest,
  releaseParameters,
  unpackAll,
  type VisionTower
} from "@speedq/exports"
import { option, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import { Codec, Count, CountOrNone, Forecast, Stage, whileDoing, whileStoring } from "@speedq/pipeline"
import { OptionalRules } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { parameterCount, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { fileDigest } from "../data/fileDigest.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { EvaluationFailed } from "../Errors.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { versionsOf } from "../extensions/versions.ts"
import type { Divergence } from "../model/divergence.ts"
import { chosenMatrices, planTowers } from "../model/plannedLayers.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { openTeacher } from "../model/teacherModel.ts"
import { planModel, planTeacher } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import type { EvaluateOptions } from "../registry/stageOptions.ts"
import { type Asked, openBenchmark } from "./askedRows.ts"
import { askRows, divergenceOver } from "./askRows.ts"
import { type BenchmarkScore, type Evaluation, Evaluations, evaluationTable, marksOf } from "./Evaluation.ts"
import { evaluationTime } from "./evaluationTime.ts"
import { galleries, isSample, isSpread } from "./gallery.ts"

const EvaluateConfig = Schema.Struct({
  title: requiredOption(Schema.NonEmptyString, { description: "Name of this evaluation in tables and reports." }),
  benchmarks: requiredOption(
    Schema.NonEmptyArray(
      Schema.Struct({
        name: requiredOption(Schema.NonEmptyString, { description: "Name of the benchmark, as `AI2D_TEST`." }),
        data: requiredOption(Schema.NonEmptyString, { description: "TSV file of its questions." }),
        limit: optionalOption(Count, { description: "Asks only the first rows of the file.", unit: "rows" })
      })
    ),
    { description: "Benchmarks that the model answers." }
  ),
  batch: option(Count, 1, {
    description:
      "Rows that are answered together: faster on a small model, the answers stay the same. A step of the stage is as many rows.",
    unit: "rows",
    source: "chosen here: the least memory"
  }),
  maxPixels: optionalOption(Count, {
    description: "Pictures with more pixels are refused: they are more likely an attack than a picture.",
    unit: "pixels",
    source: "178956970, Pillow's limit"
  }),
  imageStore: optionalOption(Schema.Literals(["lossless", "jpeg75"]), {
    description:
      "What pictures of a benchmark's file go through before the model sees them: nothing (`lossless`), or the JPEG of quality 75 (`jpeg75`) that VLMEvalKit stored single pictures as until February 2026.",
    source: "lossless: docs/quirks.md#quirk-24"
  }),
  divergence: option(CountOrNone, 0, {
    description:
      "Rows of each benchmark, spread evenly over it, on whose expected answers the divergence from the full-precision model is measured. 0 measures none.",
    unit: "rows",
    source: "off: it runs the full-precision model too"
  }),
  nearest: option(OptionalRules, [], {
    description:
      "Rules for weights that no stage has quantized yet: their quantizers round them to nearest. Other weights stay in full precision.",
    source: "none: evaluates what the stages before have made"
  }),
  clipped: option(Schema.Boolean, false, {
    description:
      "Clips weights that `nearest` rounds to the ranges that the clipping search found. Its quantizers must have the same groups.",
    source: "off: `nearest` alone is the usual baseline"
  }),
  rest: Rest,
  gallery: option(Schema.Boolean, false, {
    description: "Adds sample answers of all evaluations so far to the report, with their images.",
    source: "off: images make the report large"
  })
})
type Config = typeof EvaluateConfig.Type

/** Artefacts that may be there. */
interface EvaluateInput {
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
  readonly quantizedLanguage?: LanguageModel
  readonly clipping?: Parameters
  readonly evaluations?: readonly Evaluation[]
}

/** What was answered, and the summed divergence, of each benchmark. */
const Answering = Schema.Array(
  Schema.Struct({
    answers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
    divergence: Schema.Struct({ sum: Schema.Number, tokens: Schema.Int })
  })
)
type Answering = typeof Answering.Type

/** An obstacle for each benchmark that no one brings. */
const unknownBenchmarks = Effect.fnUntraced(function* (benchmarks: Config["benchmarks"]) {
  const known = (yield* Extensions).benchmarks
  const found = yield* Effect.forEach(benchmarks, ({ name }) =>
    Effect.match(benchmarkNamed(name, known), {
      onSuccess: () => undefined,
      onFailure: Forecast.obstacleOf
    })
  )
  return found.filter((obstacle) => obstacle !== undefined)
})

/** Data files that were read and found good: those of several evaluations are read once. */
const good = new Map<string, string>()

/** Why the rows of a benchmark cannot be asked: a column that is missing, a row that is broken, a picture that is not there. */
const problemOf = Effect.fnUntraced(function* (choice: Config["benchmarks"][number]) {
  const identity = JSON.stringify([choice, yield* Effect.promise(() => fileDigest(choice.data))])
  if (good.get(choice.data) === identity) return undefined
  const { rows, data } = yield* openBenchmark(choice)
  const files = rows.flatMap(({ image }) => (image.kind === "files" ? image.paths : []))
  const absent = files.map((path) => resolve(dirname(data.file), path)).filter((path) => !existsSync(path))
  if (absent.length > 0) {
    return `${data.file}: ${absent.length} of ${files.length} pictures do not exist, the first of them ${absent[0]}`
  }
  good.set(choice.data, identity)
  return undefined
})

/** An obstacle for each data file that is there and cannot be asked from. */
const unreadableFiles = Effect.fnUntraced(function* (benchmarks: Config["benchmarks"]) {
  const known = (yield* Extensions).benchmarks
  const problems = yield* Effect.forEach(benchmarks, (choice) =>
    existsSync(choice.data) && findBenchmark(choice.name, known) !== undefined
      ? Effect.match(problemOf(choice), { onSuccess: (problem) => problem, onFailure: ({ message }) => message })
      : Effect.succeed(undefined)
  )
  return problems.flatMap((issue): readonly Forecast.Obstacle[] =>
    issue === undefined ? [] : [{ issue, fix: "correct the file, or get it anew" }]
  )
})

/** What stands in the way of asking: files that are not there or cannot be asked from, benchmarks that no one brings. */
export const benchmarkObstacles = Effect.fnUntraced(function* (benchmarks: Config["benchmarks"]) {
  const files = benchmarks.map(({ data }) => data)
  const fix = "get the benchmark's TSV file; `speedq evaluate` says where it comes from"
  return [
    ...(yield* Forecast.missingFiles(files, fix)),
    ...(yield* unknownBenchmarks(benchmarks)),
    ...(yield* unreadableFiles(benchmarks))
  ]
})

/** Rows of a benchmark's file that are asked. Fails as reading it does. */
export const askedRows = (choice: Config["benchmarks"][number]) =>
  Effect.map(openBenchmark(choice), ({ rows }) => rows.length)

/** Writes predictions and score of one benchmark and sums them up. */
const scoreBenchmark = Effect.fnUntraced(function* (
  { benchmark, data, rows, name }: Asked,
  { answers, divergence }: Answering[number],
  directory: string
) {
  const stem = join(directory, `${basename(name, ".tsv")}_${benchmark.name}`)
  const predictions = `${stem}.tsv`
  yield* whileStoring("write the predictions", predictions)(writePredictions(predictions, data, rows, new Map(answers)))
  const scored = yield* scoreWithMarks(benchmark, data.rows, yield* readPredictions(predictions), { file: predictions })
  const { scoreFile, resultFile } = yield* whileDoing("write the score", stem)(writeScore(benchmark, stem, scored))
  const found = scored.score
  const hits = new Map(found.rows.map(({ index, hit }) => [index, hit]))
  const samples = answers
    .filter((_, place) => isSample(place, rows.length))
    .map(([index, answer]) => {
      const correct = hits.get(index)
      return { index, answer, ...(correct === undefined ? {} : { correct }) }
    })
  const summary: BenchmarkScore = {
    benchmark: found.benchmark,
    data: name,
    overall: found.overall,
    categories: marksOf(found),
    divergence: divergence.tokens === 0 ? null : divergence.sum / divergence.tokens,
    divergenceTokens: divergence.tokens,
    samples
  }
  return { summary, files: [predictions, resultFile, scoreFile] }
})

const towers = ["vision", "projector", "language"] as const

export const Evaluate = Stage.define({
  name: "evaluate",
  version: 3,
  config: writtenAs<EvaluateOptions>()(EvaluateConfig),
  uses: [QuantizedVision, TrainedProjector, QuantizedLanguage, ClippingRanges, Evaluations],
  gives: [Evaluations],
  fingerprint: ({ benchmarks, divergence }, recipe) =>
    fingerprintOf(recipe, { files: benchmarks.map(({ data }) => data), teacher: divergence > 0 }),
  versions: ({ nearest, benchmarks }) =>
    versionsOf({ quantizers: nearest, benchmarks: benchmarks.map(({ name }) => name) }),
  forecast: Effect.fnUntraced(function* ({ benchmarks, batch, nearest, divergence }: Config, recipe, place) {
    const model = yield* planModel(recipe)
    const planned = yield* planTowers(model.config, towers, nearest)
    const unusable = yield* benchmarkObstacles(benchmarks)
    // The source, packed weights, and everything unpacked in f32.
    const teacher = divergence > 0 ? yield* planTeacher(recipe) : undefined
    const taught = teacher?.weightBytes ?? 0
    const memoryBytes = model.weightBytes + taught + quantizedBytes(planned) + 4 * parameterCount(model.config)
    return Forecast.make({
      obstacles: [...model.obstacles, ...(teacher?.obstacles ?? []), ...unusable],
      memoryBytes,
      time: evaluationTime({
        ...{ model, benchmarks, batch, divergence, recipe, place },
        nearest: chosenMatrices(planned)
      }),
      lines: ruleLines(planned)
    })
  }),
  begin: Effect.fnUntraced(function* (config: Config, input: EvaluateInput, context: Stage.StageContext) {
    const { backend } = yield* Compute
    const failed = (error: { readonly message: string }) =>
      new EvaluationFailed({ title: config.title, reason: error.message })
    const source = yield* openRecipeModel(context.recipe)
    const { directory } = source
    const { choices: nearest } = yield* planTowers(directory.config, towers, config.nearest)
    const parts = { ...input, clipping: config.clipped ? input.clipping : undefined }
    const deployed = yield* owned(
      computing(() => deployModel(source, parts, { rest: config.rest, nearest })),
      ({ release }) => release()
    )
    const unpacked = yield* owned(
      computing(() => unpackAll(deployed.packed)),
      releaseParameters
    )
    const compared = config.divergence > 0 ? yield* openTeacher(context.recipe, source) : source
    const original = { directory: compared.directory, weights: weightsFrom(compared.weights) }
    const model = { backend, directory, weights: weightsFrom(unpacked, deployed.others) }
    const asked: readonly Asked[] = yield* Effect.mapError(Effect.forEach(config.benchmarks, openBenchmark), failed)
    const steps = asked.flatMap(({ rows }, benchmark) =>
      Array.from({ length: Math.ceil(rows.length / config.batch) }, (_, at) => {
        const first = at * config.batch
        return { benchmark, first, end: Math.min(first + config.batch, rows.length) }
      })
    )

    const { maxPixels, imageStore } = config
    const pictures: RowImageOptions = {
      ...(maxPixels === undefined ? {} : { maxPixels }),
      ...(imageStore === undefined ? {} : { imageStore })
    }
    const step = Effect.fnUntraced(
      function* (state: Answering, done: number) {
        const place = steps[done]!
        const { benchmark, data, rows } = asked[place.benchmark]!
        const questions = rows.slice(place.first, place.end).map((row) => ({ benchmark, data, row, pictures }))
        const given = yield* askRows(model, questions)
        const measured: Divergence = yield* divergenceOver(
          model,
          original,
          questions.filter((_, at) => isSpread(place.first + at, rows.length, config.divergence))
        )
        const next = state.map(({ answers, divergence }, at) =>
          at !== place.benchmark
            ? { answers, divergence }
            : {
                answers: [...answers, ...questions.map(({ row }, i) => [row.index, given[i]!] as const)],
                divergence: { sum: divergence.sum + measured.sum, tokens: divergence.tokens + measured.tokens }
              }
        )
        return { state: next, metrics: {} }
      },
      (self) => Effect.mapError(self, failed)
    )
    const finish = Effect.fnUntraced(
      function* (state: Answering) {
        const scored = yield* Effect.forEach(asked, (each, at) => scoreBenchmark(each, state[at]!, context.directory))
        const scores = scored.map(({ summary }) => summary)
        const evaluation: Evaluation = { title: config.title, scores, ...modelSize(deployed) }
        const evaluations = [...(input.evaluations ?? []), evaluation]
        const shown = config.gallery ? yield* galleries(asked, evaluations, pictures) : []
        const files = scored.flatMap((each) => each.files)
        return { output: { evaluations }, report: [evaluationTable(evaluations), ...shown], files }
      },
      (self) => Effect.mapError(self, failed)
    )
    return Stage.program({
      steps: steps.length,
      state: Codec.json(Answering),
      initial: Effect.succeed<Answering>(asked.map(() => ({ answers: [], divergence: { sum: 0, tokens: 0 } }))),
      step,
      isIntact: () => true,
      finish
    })
  })
})
