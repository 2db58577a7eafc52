/** Scores the model as it stands after the stages before: benchmarks, and its divergence from the full-precision model. */
import { basename } from "node:path"
import { Answerer, benchmarkNamed, evaluate, type Score } from "@speedq/evaluation"
import type { PackedWeights } from "@speedq/quantizers"
import { noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Artefact from "../Artefact.ts"
import {
  KnownQuantizers,
  type LanguageModel,
  QuantizedLanguage,
  QuantizedVision,
  TrainedProjector
} from "../artefacts.ts"
import * as Codec from "../Codec.ts"
import { Compute } from "../compute/Compute.ts"
import { EvaluationFailed } from "../Errors.ts"
import { deployModel } from "../model/deployedModel.ts"
import { batchDivergence, type Divergence } from "../model/divergence.ts"
import { modelAnswerer } from "../model/modelAnswerer.ts"
import { modelSize } from "../model/modelSize.ts"
import { RuleSpec } from "../model/QuantizerSpec.ts"
import { decodingRules, nearestChoices } from "../model/rules.ts"
import { openSourceModel, type SourceModel } from "../model/SourceModel.ts"
import { unpackAll } from "../model/unpackAll.ts"
import * as Stage from "../Stage.ts"
import { hiddenStates } from "../training/hiddenStates.ts"
import { openSampleSource } from "../training/SampleSource.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { makeVisionFeatureCache } from "../training/VisionFeatures.ts"
import { fingerprintOf } from "./fingerprint.ts"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))
const Count = Schema.Int.check(Schema.isGreaterThan(0))

export const EvaluateConfig = Schema.Struct({
  /** What the row is called in tables. */
  title: Schema.NonEmptyString,
  benchmarks: Schema.Array(
    Schema.Struct({ name: Schema.NonEmptyString, data: Schema.NonEmptyString, limit: Schema.optionalKey(Count) })
  ),
  /** Records whose answers the divergence is measured on. */
  divergence: Schema.optionalKey(Schema.Struct({ meta: Schema.NonEmptyString, samples: withDefault(Count, 100) })),
  /** Quantizers, to nearest, for what no stage has quantized yet; none leaves it in full precision. */
  nearest: withDefault(Schema.Array(RuleSpec), [])
})
type Config = typeof EvaluateConfig.Type

const Mark = Schema.Struct({ score: Schema.Number, rows: Schema.Int, standardError: Schema.optionalKey(Schema.Number) })

/** What an evaluation found, a row of the final table. */
export const Evaluation = Schema.Struct({
  title: Schema.String,
  /** Benchmark name and data file, overall number, and the score of each category. */
  scores: Schema.Array(
    Schema.Struct({
      benchmark: Schema.String,
      data: Schema.String,
      overall: Schema.Number,
      categories: Schema.Record(Schema.String, Mark)
    })
  ),
  /** KL a token from the full-precision model, in nats. */
  divergence: Schema.NullOr(Schema.Number),
  /** Size of the whole model and bits a parameter, everything included. */
  bytes: Schema.Number,
  bitsPerParameter: Schema.Number
})
export type Evaluation = typeof Evaluation.Type

/** All evaluations so far, in order. */
export const Evaluations = Artefact.make(
  "evaluations",
  "scores of the model at several points",
  Codec.json(Schema.Array(Evaluation))
)

/** Artefacts that may be there. */
interface EvaluateInput {
  readonly quantizedVision?: PackedWeights
  readonly projector?: Parameters
  readonly quantizedLanguage?: LanguageModel
  readonly evaluations?: readonly Evaluation[]
}

const summary = (score: Score, data: string): Evaluation["scores"][number] => ({
  benchmark: score.benchmark,
  data: basename(data),
  overall: score.overall,
  categories: Object.fromEntries(
    Object.values(score.categories).flatMap((categories) =>
      Object.entries(categories).map(([name, { score: value, rows, standardError }]) => [
        name,
        { score: value, rows, ...(standardError === undefined ? {} : { standardError }) }
      ])
    )
  )
})

/** Records that pass the models together when their divergence is measured. */
const divergenceBatch = 8

/** Mean divergence over the answers of some records. */
const divergenceOf = Effect.fnUntraced(function* (
  source: SourceModel,
  weights: Weights,
  { meta, samples }: NonNullable<Config["divergence"]>
) {
  const { backend } = yield* Compute
  const records = yield* openSampleSource(source, {
    data: Schema.decodeUnknownSync(DataConfig)({ meta, percent: 0 }),
    optimization: Schema.decodeUnknownSync(OptimizationConfig)({
      batch: divergenceBatch,
      accumulation: 1,
      groupByLength: false
    }),
    seed: 0
  })
  const original = weightsFrom(source.weights)
  const { config } = source.directory
  const features = [original, weights].map((each) => makeVisionFeatureCache(backend, config, each, 0))
  const total: { sum: number; tokens: number } = { sum: 0, tokens: 0 }
  for (let step = 0; step < records.steps && step * divergenceBatch < samples; step++) {
    for (const batch of yield* records.take(step)) {
      const measured = yield* Effect.promise(async () => {
        const seen = await Promise.all(features.map((cache) => cache.of(batch)))
        const [teacher, student] = noGrad(() =>
          scope(() =>
            [original, weights].map((each, i) => hiddenStates(backend, source.directory, each, batch, seen[i]))
          )
        ) as [Tensor, Tensor]
        const result = await batchDivergence(
          batch,
          { hidden: teacher, weights: original },
          { hidden: student, weights }
        )
        for (const tensor of [teacher, student, ...seen]) tensor?.release()
        return result
      })
      total.sum += measured.sum
      total.tokens += measured.tokens
    }
  }
  return { perToken: total.sum / Math.max(1, total.tokens), tokens: total.tokens } satisfies Divergence
})

const releaseAll = (tensors: Parameters): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const tensor of Object.values(tensors)) tensor.release()
  })

export const Evaluate = Stage.define({
  name: "evaluate",
  version: 1,
  config: EvaluateConfig,
  uses: [QuantizedVision, TrainedProjector, QuantizedLanguage, Evaluations],
  gives: [Evaluations],
  fingerprint: ({ benchmarks, divergence }, recipe) =>
    fingerprintOf(recipe, [...benchmarks.map(({ data }) => data), ...(divergence ? [divergence.meta] : [])]),
  begin: Effect.fnUntraced(function* (config: Config, input: EvaluateInput, context: Stage.StageContext) {
    const { backend } = yield* Compute
    const known = yield* KnownQuantizers
    const source = yield* openSourceModel(context.recipe.model)
    const nearest = yield* decodingRules(() => nearestChoices(source.directory.config, config.nearest, known))
    const deployed = yield* Effect.acquireRelease(
      Effect.promise(() => deployModel(source, input, nearest)),
      ({ release }) => Effect.sync(release)
    )
    const weights = yield* Effect.acquireRelease(
      Effect.sync(() => noGrad(() => unpackAll(deployed.packed))),
      releaseAll
    )
    const model = { backend, directory: source.directory, weights: weightsFrom(weights, deployed.others) }

    const work = Effect.gen(function* () {
      const scores: Evaluation["scores"][number][] = []
      for (const { name, data, limit } of config.benchmarks) {
        const benchmark = yield* benchmarkNamed(name)
        const evaluated = yield* evaluate(benchmark, {
          data,
          out: `${context.directory}/predictions`,
          name: `${config.title.replace(/[^A-Za-z0-9]+/g, "-")}_${basename(data, ".tsv")}`,
          format: "tsv",
          ...(limit === undefined ? {} : { limit })
        }).pipe(Effect.provideService(Answerer, modelAnswerer(model, `${context.label}/${config.title}`)))
        scores.push(summary(evaluated.score, data))
      }
      const divergence = config.divergence ? yield* divergenceOf(source, model.weights, config.divergence) : undefined
      const evaluation: Evaluation = {
        title: config.title,
        scores,
        divergence: divergence?.perToken ?? null,
        ...modelSize(deployed)
      }
      const evaluations = [...(input.evaluations ?? []), evaluation]
      return { output: { evaluations }, report: [evaluationTable(evaluations)] }
    }).pipe(Effect.mapError((error) => new EvaluationFailed({ title: config.title, reason: error.message })))
    return Stage.once(work)
  })
})

/** One row an evaluation: overall numbers, each category with its standard error, divergence, size. */
export const evaluationTable = (evaluations: readonly Evaluation[]) => {
  const columns = evaluations[0]?.scores.flatMap(({ data, categories }) =>
    Object.keys(categories).map((category) => ({ data, category }))
  )
  const cell = ({ scores }: Evaluation, { data, category }: { readonly data: string; readonly category: string }) => {
    const mark = scores.find((score) => score.data === data)?.categories[category]
    if (mark === undefined) return ""
    return mark.standardError === undefined
      ? mark.score.toFixed(1)
      : `${mark.score.toFixed(1)} ± ${mark.standardError.toFixed(1)}`
  }
  return {
    _tag: "Table" as const,
    title: "Evaluation",
    columns: ["model", ...(columns ?? []).map(({ category }) => category), "KL / token", "MB", "bits / parameter"],
    rows: evaluations.map((evaluation) => [
      evaluation.title,
      ...(columns ?? []).map((column) => cell(evaluation, column)),
      evaluation.divergence === null ? "" : evaluation.divergence.toPrecision(3),
      (evaluation.bytes / 1e6).toFixed(3),
      evaluation.bitsPerParameter.toFixed(2)
    ])
  }
}
