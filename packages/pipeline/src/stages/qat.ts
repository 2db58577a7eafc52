/**
 * Stage 3 of SPEED-Q: projector and language model learn under fake quantization, from the labels and from the
 * full-precision teacher (arXiv:2511.08914 §3; internvl3.md 6.5, 6.9, 6.10).
 */
import {
  cakld,
  crossEntropy,
  predictingRows,
  type RowLoss,
  teacherConfidence,
  vocabularyLoss,
  weighted
} from "@speedq/distillation"
import { applyClipping, type PackedWeights, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { mapWeights, type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges, KnownQuantizers, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { copyParameters } from "../model/copyParameters.ts"
import { RuleSpec } from "../model/QuantizerSpec.ts"
import { EmbeddingConfig, embeddingChoices, headName, quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { decodingRules, planTower } from "../model/rules.ts"
import { openSourceModel, type SourceModel } from "../model/SourceModel.ts"
import { unpackAll } from "../model/unpackAll.ts"
import * as Stage from "../Stage.ts"
import { hiddenStates } from "../training/hiddenStates.ts"
import { type MicroBatch, openSampleSource, type SampleSource } from "../training/SampleSource.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { trainingProgram } from "../training/trainingProgram.ts"
import { makeVisionFeatureCache, type VisionFeatureCache } from "../training/VisionFeatures.ts"
import { fingerprintOf } from "./fingerprint.ts"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

const Weight = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** Losses and their factors; a factor of 0 leaves a loss out, and the teacher with it. */
export const LossConfig = Schema.Struct({
  crossEntropy: withDefault(Weight, 1),
  labelSmoothing: withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })), 0.1),
  cakld: withDefault(Weight, 1),
  temperature: withDefault(Schema.Finite.check(Schema.isGreaterThan(0)), 1),
  /** "unshifted": rows that carry a label, as the reference masks (quirk 1). */
  mask: withDefault(Schema.Literals(["shifted", "unshifted"]), "shifted"),
  reduction: withDefault(Schema.Literals(["sum", "mean"]), "sum"),
  /** Share of the reverse divergence; "teacher": its mean confidence over `confidenceBatches` micro-batches. */
  confidence: withDefault(Schema.Union([Schema.Literal("teacher"), Weight]), "teacher"),
  confidenceBatches: withDefault(Schema.Int.check(Schema.isGreaterThan(0)), 100),
  /** Rows the confidence is a mean over: those that predict an answer, or all, as in the reference (quirk 2). */
  confidenceRows: withDefault(Schema.Literals(["answers", "all"]), "answers")
})

export const QatConfig = Schema.Struct({
  data: DataConfig,
  ...OptimizationConfig.fields,
  /** Quantizers of the decoder's Linears. */
  quantizers: Schema.NonEmptyArray(RuleSpec),
  embeddings: EmbeddingConfig,
  loss: withDefault(LossConfig, {})
})
type LossSettings = typeof LossConfig.Type

const needsTeacher = ({ cakld }: LossSettings): boolean => cakld > 0

/** The losses of the stage, given beta. */
const lossesOf = (loss: LossSettings, confidence: number): readonly RowLoss[] => [
  ...(loss.crossEntropy > 0 ? [weighted(loss.crossEntropy, crossEntropy(loss))] : []),
  ...(loss.cakld > 0 ? [weighted(loss.cakld, cakld({ ...loss, confidence }))] : [])
]

/** Weights as training sees them: Linears fake-quantized by the choice of their layer, everything else as it is. */
export const fakeQuantized = (weights: Weights, choices: ReadonlyMap<string, QuantizerChoice>): Weights =>
  mapWeights(weights, (name, tensor) => {
    const choice = choices.get(name)
    return choice === undefined ? tensor : choice.quantizer.fakeQuantize(choice.config, tensor)
  })

/** Trained weights clamped to the ranges that the search found, once, before training (internvl3.md 6.8). */
const clipped = (parameters: Parameters, ranges: Parameters | undefined): Parameters => {
  if (ranges === undefined) return parameters
  return Object.fromEntries(
    Object.entries(parameters).map(([name, parameter]) => {
      const layer = name.replace(/\.weight$/, "")
      const [min, max] = [ranges[`${layer}.min`], ranges[`${layer}.max`]]
      return [name, min && max ? applyClipping(parameter, { min, max }) : parameter]
    })
  )
}

interface Teacher {
  readonly model: SourceModel
  readonly weights: Weights
  readonly features: VisionFeatureCache
}

/** Final hidden states of the teacher on a micro-batch. */
const teacherStates = async (
  backend: Backend,
  { model, weights, features }: Teacher,
  batch: MicroBatch
): Promise<Tensor> => {
  const seen = await features.of(batch)
  const hidden = noGrad(() => scope(() => hiddenStates(backend, model.directory, weights, batch, seen)))
  seen?.release()
  return hidden
}

const labelsOf = ({ labels, size, length }: MicroBatch) => ({ values: labels, batch: size, length })

/** beta: the teacher's mean confidence over the first micro-batches, each counting the same. */
const measureConfidence = Effect.fnUntraced(function* (
  backend: Backend,
  teacher: Teacher,
  source: SampleSource,
  { confidenceBatches, confidenceRows }: LossSettings
) {
  const confidences: number[] = []
  for (let step = 0; step < source.steps && confidences.length < confidenceBatches; step++) {
    for (const batch of yield* source.take(step)) {
      const every = Array.from({ length: batch.size * batch.length }, (_, row) => row)
      const rows = confidenceRows === "all" ? every : predictingRows(labelsOf(batch))
      if (rows.length === 0 || confidences.length === confidenceBatches) continue
      const hidden = yield* Effect.promise(() => teacherStates(backend, teacher, batch))
      const confidence = teacherConfidence({ hidden, weight: teacher.weights.get(headName) }, rows)
      hidden.release()
      confidences.push(yield* Effect.promise(() => confidence.item()))
      confidence.release()
    }
  }
  return confidences.length === 0 ? 0 : confidences.reduce((a, b) => a + b) / confidences.length
})

/** What earlier stages may have made: without a quantized tower the original one is used, without a projector likewise. */
interface QatInput {
  readonly quantizedVision?: PackedWeights
  readonly projector?: Parameters
  readonly clipping?: Parameters
}

export const Qat = Stage.define({
  name: "qat",
  version: 1,
  config: QatConfig,
  uses: [QuantizedVision, TrainedProjector, ClippingRanges],
  gives: [QuantizedLanguage, TrainedProjector],
  fingerprint: ({ data }, recipe) => fingerprintOf(recipe, [data.meta]),
  begin: Effect.fnUntraced(function* (
    { data, embeddings, quantizers, loss, ...optimization }: typeof QatConfig.Type,
    { quantizedVision, projector, clipping }: QatInput,
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const known = yield* KnownQuantizers
    const model = yield* openSourceModel(recipe.model)
    const { config } = model.directory
    const plan = yield* decodingRules(() => planTower(config, "language", quantizers, known))
    const choices = new Map(plan.layers.map(({ name, choice }) => [`${name}.weight`, choice]))
    const embedded = yield* decodingRules(() => embeddingChoices(embeddings, known))
    const source = yield* openSampleSource(model, { data, optimization, seed })

    const original = weightsFrom(model.weights)
    const teacher: Teacher = {
      model,
      weights: original,
      features: makeVisionFeatureCache(backend, config, original, Number(optimization.featureCache))
    }
    const frozen = {
      ...quantizedEmbeddings(model.weights, embedded),
      ...(quantizedVision ? unpackAll(quantizedVision) : {})
    }
    const vision = weightsFrom(frozen, model.weights)
    const features = quantizedVision
      ? makeVisionFeatureCache(backend, config, vision, Number(optimization.featureCache))
      : teacher.features
    const measured = needsTeacher(loss) && loss.confidence === "teacher"
    const confidence = measured
      ? yield* measureConfidence(backend, teacher, source, loss)
      : Number(loss.confidence === "teacher" ? 0 : loss.confidence)
    const losses = lossesOf(loss, confidence)
    const isTrained = (name: string) =>
      name.startsWith("mlp1.") || (name.startsWith("language_model.") && !embedded.has(name))

    return trainingProgram({
      source,
      optimization,
      initial: () => {
        const start = copyParameters({ ...model.weights, ...projector }, isTrained)
        return clipped(start, clipping)
      },
      prepare: async (batch) => {
        const seen = await features.of(batch)
        const taught = needsTeacher(loss) ? await teacherStates(backend, teacher, batch) : undefined
        return {
          lossOf: (parameters: Parameters) =>
            scope(() => {
              const weights = fakeQuantized(weightsFrom(parameters, frozen, model.weights), choices)
              const hidden = hiddenStates(backend, model.directory, weights, batch, seen)
              return vocabularyLoss({
                losses,
                labels: labelsOf(batch),
                student: { hidden, weight: weights.get(headName) },
                teacher: taught && { hidden: taught, weight: original.get(headName) }
              })
            }),
          release: () => {
            seen?.release()
            taught?.release()
          }
        }
      },
      finish: (parameters) => {
        const trained = Object.entries(parameters)
        const named = (prefix: string) => Object.fromEntries(trained.filter(([name]) => name.startsWith(prefix)))
        return Effect.succeed({
          output: {
            projector: named("mlp1."),
            quantizedLanguage: {
              parameters: named("language_model."),
              choices: new Map([...choices, ...embedded])
            }
          },
          report: [
            {
              _tag: "Text" as const,
              title: "Losses",
              paragraphs: [
                needsTeacher(loss)
                  ? `CAKLD with beta = ${confidence.toFixed(4)}${measured ? ", the teacher's mean confidence" : ""}.`
                  : "Without teacher."
              ]
            }
          ]
        })
      }
    })
  })
})
