/** Scores the model as it stands after the stages before: benchmarks, and its divergence from the full-precision model. A step is some rows. */
import type { RowImageOptions } from "@speedq/evaluation"
import {
  deployModel,
  type LanguageModel,
  modelSize,
  Rest,
  releaseParameters,
  unpackAll,
  type VisionTower
} from "@speedq/exports"
import { nameOption, option, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import {
  Count,
  CountOrNone,
  emit,
  Forecast,
  type RecipeSettings,
  RunEvents,
  Stage,
  unlessDamaged
} from "@speedq/pipeline"
import { OptionalRules } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { parameterCount, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  Allocation,
  ClippingRanges,
  QuantizedLanguage,
  QuantizedVision,
  TrainedProjector
} from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { fingerprintOf, modelDigest } from "../data/fingerprint.ts"
import { EvaluationFailed } from "../Errors.ts"
import { versionsOf } from "../extensions/versions.ts"
import { type Choices, chosenMatrices, planTowers } from "../model/plannedLayers.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { openTeacher } from "../model/teacherModel.ts"
import { decidedMatrices } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { planModel, planTeacher } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import type { EvaluateOptions } from "../registry/stageOptions.ts"
import { rowsOfCodes } from "../training/student.ts"
import {
  type Answers,
  AnswersCodec,
  answersBefore,
  current,
  noAnswers,
  summedUp,
  whatStands,
  writeAnswers
} from "./Answers.ts"
import { askingGroups } from "./askingGroups.ts"
import { benchmarkNames } from "./benchmarkNames.ts"
import { type Evaluation, Evaluations } from "./Evaluation.ts"
import { evaluationTime } from "./evaluationTime.ts"
import { galleries } from "./gallery.ts"
import { groupedRows } from "./groupedRows.ts"
import { pictureFiles } from "./pictureFiles.ts"
import { benchmarkObstacles } from "./preflight.ts"
import { resultSections } from "./resultSections.ts"
import { scoreBenchmark } from "./scoreBenchmark.ts"

const EvaluateConfig = Schema.Struct({
  title: requiredOption(Schema.NonEmptyString, { description: "Name of this evaluation in tables and reports." }),
  benchmarks: requiredOption(
    Schema.NonEmptyArray(
      Schema.Struct({
        name: nameOption(benchmarkNames, { description: "Name of the benchmark, as `AI2D_TEST`." }),
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
    description:
      "Pictures with more pixels are refused: they are more likely an attack than a picture. So are rows whose pictures have more together.",
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
  readonly allocation?: Choices
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
  readonly quantizedLanguage?: LanguageModel
  readonly clipping?: Parameters
  readonly evaluations?: readonly Evaluation[]
}

const picturesOf = ({ maxPixels, imageStore }: Config): RowImageOptions => ({
  ...(maxPixels === undefined ? {} : { maxPixels }),
  ...(imageStore === undefined ? {} : { imageStore })
})

/** The benchmarks with their rows, in the steps that they are asked in. */
const askedBenchmarks = (config: Config) =>
  Effect.forEach(config.benchmarks, (choice, at) =>
    groupedRows(choice, at, {
      batch: config.batch,
      divergence: config.divergence,
      pictures: picturesOf(config)
    })
  )

/** Digest of all that is asked and compared with, besides what stages before have made. */
const modelOf = ({ divergence }: Config, recipe: RecipeSettings) => modelDigest(recipe, { teacher: divergence > 0 })

/** Answers are of questions, not of files: those to questions that are the same now go on, as long as the model is the same. */
const continuation = Effect.fnUntraced(
  function* (config: Config, recipe: RecipeSettings, { state }: Stage.Begun) {
    const saved = state === undefined ? Option.none<Answers>() : yield* unlessDamaged(AnswersCodec.load(state))
    const model = yield* modelOf(config, recipe)
    if (Option.isNone(saved) || saved.value.model !== model) return Option.none<Stage.Continued>()
    const detail = whatStands(saved.value, yield* askedBenchmarks(config))
    return Option.some<Stage.Continued>({ detail, likeNew: true })
  },
  (self, { title }) => Effect.mapError(self, ({ message }) => new EvaluationFailed({ title, reason: message }))
)

const madeBy = (input: EvaluateInput, rounded: number): Evaluation["made"] => {
  const { quantizedVision, projector, quantizedLanguage } = input
  if (quantizedVision ?? projector ?? quantizedLanguage) return "stages"
  return rounded > 0 ? "nearest" : "source"
}

const towers = ["vision", "projector", "language"] as const

export const Evaluate = Stage.define({
  name: "evaluate",
  version: 4,
  config: writtenAs<EvaluateOptions>()(EvaluateConfig),
  uses: [Allocation, QuantizedVision, TrainedProjector, QuantizedLanguage, ClippingRanges, Evaluations],
  // What the stages before have made is of the allocation already.
  takes: ({ nearest }, { name }) => nearest.length > 0 || name !== Allocation.name,
  gives: [Evaluations],
  fingerprint: ({ benchmarks, divergence }, recipe) =>
    Effect.flatMap(Effect.forEach(benchmarks, pictureFiles), (pictures) =>
      fingerprintOf(recipe, {
        files: [...benchmarks.map(({ data }) => data), ...pictures.flat()],
        teacher: divergence > 0
      })
    ),
  continuation,
  versions: ({ nearest, benchmarks }) =>
    versionsOf({ quantizers: nearest, benchmarks: benchmarks.map(({ name }) => name) }),
  forecast: Effect.fnUntraced(function* (config: Config, recipe, place) {
    const { benchmarks, batch, nearest, divergence } = config
    const model = yield* planModel(recipe)
    const planned = yield* planTowers(model.config, towers, nearest)
    const obstacles = yield* benchmarkObstacles(benchmarks, picturesOf(config))
    // The source, packed weights, and everything unpacked in f32.
    const teacher = divergence > 0 ? yield* planTeacher(recipe) : undefined
    const taught = teacher?.weightBytes ?? 0
    const memoryBytes = model.weightBytes + taught + quantizedBytes(planned) + 4 * parameterCount(model.config)
    const matrices = [...chosenMatrices(planned), ...(place ? yield* decidedMatrices(model.config, place) : [])]
    const rows = rowsOfCodes(model.config, new Map(matrices.map(({ layer, choice }) => [layer, choice])))
    return Forecast.make({
      obstacles: [...model.obstacles, ...(teacher?.obstacles ?? []), ...obstacles],
      memoryBytes,
      tensorBytes: memoryBytes,
      largest: largestTensor(model, { widened: matrices.filter(({ layer }) => !rows.has(layer)) }),
      time: evaluationTime({
        ...{ model, benchmarks, batch, divergence, recipe, place },
        nearest: chosenMatrices(planned)
      }),
      lines: ruleLines(planned, place)
    })
  }),
  begin: Effect.fnUntraced(function* (config: Config, input: EvaluateInput, context: Stage.StageContext) {
    const { backend } = yield* Compute
    const failed = (error: { readonly message: string }) =>
      new EvaluationFailed({ title: config.title, reason: error.message })
    const source = yield* openRecipeModel(context.recipe)
    const { directory } = source
    const rounded = yield* planTowers(directory.config, towers, config.nearest, "careful", input.allocation)
    const nearest = rounded.choices
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
    const asked = yield* Effect.mapError(askedBenchmarks(config), failed)
    const groups = asked.flatMap((each) => each.groups)

    const asking = yield* askingGroups({
      ...{ title: config.title, directory: context.directory, model, original, groups }
    })
    const step = (state: Answers) => Effect.mapError(asking.step(state), failed)
    const initial = Effect.gen(function* () {
      const identity = yield* modelOf(config, context.recipe)
      const before = Option.getOrUndefined(yield* answersBefore(context.before, identity))
      if (before === undefined) return noAnswers(identity, asked.length)
      yield* emit(RunEvents.Warning, { message: whatStands(before, asked) })
      return before
    })
    const finish = Effect.fnUntraced(
      function* (state: Answers) {
        const scored = yield* Effect.forEach(asked, (each) =>
          scoreBenchmark(each, summedUp(state, each), context.directory)
        )
        const scores = scored.map(({ summary }) => summary)
        const evaluation: Evaluation = {
          title: config.title,
          made: madeBy(input, nearest.size),
          scores,
          ...modelSize(deployed)
        }
        const evaluations = [...(input.evaluations ?? []), evaluation]
        const shown = config.gallery ? yield* galleries(asked, evaluations, picturesOf(config)) : []
        const kept = yield* writeAnswers(context.directory, current(state, asked))
        const files = [...scored.flatMap((each) => each.files), kept]
        return {
          output: { evaluations },
          report: [...resultSections(context.recipe.name, evaluations), ...shown],
          files
        }
      },
      (self) => Effect.mapError(self, failed)
    )
    return Stage.program({
      steps: groups.length,
      state: AnswersCodec,
      initial,
      step,
      standing: asking.standing,
      isIntact: () => true,
      finish
    })
  })
})
