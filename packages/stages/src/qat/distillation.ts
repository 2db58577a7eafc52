/** Quantization-aware training against a full-precision teacher: what stage 3 and its joint variant share. */
import { allRows, predictingRows, teacherConfidence, vocabularyLoss } from "@speedq/distillation"
import type { SourceModel } from "@speedq/exports"
import type { Stage } from "@speedq/pipeline"
import type { QuantizerChoice } from "@speedq/quantizers"
import { type Backend, noGrad, type Parameters, scope, type Tensor, tensor } from "@speedq/tensors"
import { mapWeights, visionFeatures, type Weights, weightsFrom } from "@speedq/vlm-model"
import type * as Effect from "effect/Effect"
import type { MicroBatch } from "../data/SampleLoader.ts"
import type { SampleSource } from "../data/SampleSource.ts"
import { headName } from "../model/plannedLayers.ts"
import { hiddenStates, type TrainedNetwork } from "../training/hiddenStates.ts"
import type { Rematerialization } from "../training/Rematerialization.ts"
import type { OptimizationConfig } from "../training/TrainingConfig.ts"
import { trainingProgram } from "../training/trainingProgram.ts"
import type { VisionFeatures } from "../training/VisionFeatures.ts"
import {
  confidenceOf,
  type Losses,
  measuredBatches,
  measuresConfidence,
  needsTeacher,
  rowLosses
} from "./LossConfig.ts"

export interface Distillation<Out, E, R> {
  readonly backend: Backend
  readonly model: SourceModel
  readonly meta: string
  readonly source: SampleSource
  readonly optimization: OptimizationConfig
  readonly losses: Losses
  readonly rematerialization: Rematerialization
  /** New tensors that training starts from. */
  readonly initial: () => Parameters
  /** The student's weights out of the trained parameters. */
  readonly weightsOf: TrainedNetwork["weightsOf"]
  /** Features of the teacher's tower. */
  readonly teacherFeatures: VisionFeatures
  /** Features of the student's frozen tower; without them its tower is a part of what is trained. */
  readonly studentFeatures: VisionFeatures | undefined
  readonly finish: (parameters: Parameters, confidence: number) => Effect.Effect<Stage.Outcome<Out>, E, R>
}

/** Weights as training sees them: quantized by the choice of their name, everything else as it is. */
export const fakeQuantized = (weights: Weights, choices: ReadonlyMap<string, QuantizerChoice>): Weights =>
  mapWeights(weights, (name, tensor) => {
    const choice = choices.get(name)
    return choice === undefined ? tensor : choice.quantizer.fakeQuantize(choice.config, tensor)
  })

const labelsOf = ({ labels, size, length }: MicroBatch) => ({ values: labels, batch: size, length })

export const distillationProgram = <Out, E, R>(options: Distillation<Out, E, R>) => {
  const { backend, model, source, optimization, losses, weightsOf, teacherFeatures, studentFeatures } = options
  const { directory } = model
  const teacher = weightsFrom(model.weights)

  /** Final hidden states of the teacher, and the features it saw, which a student with the same tower shares. */
  const teach = async (batch: MicroBatch, index: number) => {
    const features = await teacherFeatures.of(batch, index)
    const hidden = noGrad(() => scope(() => hiddenStates({ backend, directory, weights: teacher, batch, features })))
    return { features, hidden }
  }
  const pixelsOf = ({ pixelValues, tileSize, tileKeys }: MicroBatch): Tensor =>
    tensor(backend, pixelValues, [tileKeys.length, 3, tileSize, tileSize])

  /** Features as the student sees them, where its tower trains: inside what is differentiated. */
  const trainedFeatures = (weights: Weights, batch: MicroBatch): Tensor | undefined =>
    batch.tileKeys.length === 0 ? undefined : visionFeatures(weights, directory.config, pixelsOf(batch))

  const measureConfidence = async (batch: MicroBatch, index: number): Promise<number | undefined> => {
    const rows = losses.confidenceRows === "all" ? allRows(labelsOf(batch)) : predictingRows(labelsOf(batch))
    if (rows.length === 0) return undefined
    const { features, hidden } = await teach(batch, index)
    const confidence = teacherConfidence({ hidden, weight: teacher.get(headName) }, rows)
    for (const tensor of [features, hidden]) tensor?.release()
    const value = await confidence.item()
    confidence.release()
    return value
  }

  const available = source.microBatchesOf(source.steps - 1).at(-1)! + 1
  return trainingProgram({
    meta: options.meta,
    source,
    optimization,
    initial: options.initial,
    measurement: measuresConfidence(losses)
      ? { batches: measuredBatches(losses, available), of: measureConfidence }
      : undefined,
    rematerialization: options.rematerialization,
    prepare: async (batch, index, { measured, rematerialize }) => {
      const rows = rowLosses(losses, confidenceOf(losses, measured))
      const taught = needsTeacher(losses) ? await teach(batch, index) : undefined
      const shared = studentFeatures === teacherFeatures ? taught?.features : undefined
      const frozen = shared ?? (await studentFeatures?.of(batch, index))
      return {
        lossOf: (parameters: Parameters) =>
          scope(() => {
            const weights = weightsOf(parameters)
            const features = studentFeatures ? frozen : trainedFeatures(weights, batch)
            const again = rematerialize ? { parameters, weightsOf } : undefined
            const hidden = hiddenStates({ backend, directory, weights, batch, features, rematerialize: again })
            return vocabularyLoss({
              losses: rows,
              labels: labelsOf(batch),
              student: { hidden, weight: weights.get(headName) },
              teacher: taught && { hidden: taught.hidden, weight: teacher.get(headName) }
            })
          }),
        release: () => {
          for (const tensor of [taught?.features, taught?.hidden, frozen]) tensor?.release()
        }
      }
    },
    finish: (parameters, measured) => options.finish(parameters, confidenceOf(losses, measured))
  })
}
