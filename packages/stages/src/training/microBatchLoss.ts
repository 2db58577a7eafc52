/**
 * What a micro-batch costs a student: its losses over the vocabulary, beside a full-precision teacher where one of them compares
 * with it (arXiv:2511.08914 §3; docs/method.md, "Teacher confidence", "CAKLD" and "Cross entropy").
 */
import {
  allRows,
  hiddenDistance,
  hiddenPart,
  predictingRows,
  teacherConfidence,
  type VocabularyLoss,
  vocabularyLoss
} from "@speedq/distillation"
import { parameterOf } from "@speedq/formats"
import { add, type Backend, noGrad, type Parameters, scale, scope, type Tensor, tensor } from "@speedq/tensors"
import { headLayerOf, type ModelDirectory, visionFeatures, type Weights } from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"
import type { SampleSource } from "../data/SampleSource.ts"
import { hiddenStates, type TrainedNetwork } from "./hiddenStates.ts"
import { confidenceOf, type Losses, measuredBatches, measuresConfidence, needsTeacher, rowLosses } from "./losses.ts"
import type { Measurement, Training } from "./Training.ts"
import { drawDropPath, type StochasticDepth, type VisionFeatures } from "./VisionFeatures.ts"

/** The parameter that makes logits: one of the student and one of the teacher, of the same name. */
const headMatrix = ({ config }: ModelDirectory): string => parameterOf(headLayerOf(config.llm_config))

export interface StudentAndTeacher {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly losses: Losses
  /** The full-precision model that the student is compared with. */
  readonly teacher: { readonly directory: ModelDirectory; readonly weights: Weights }
  /** The student's weights out of the trained parameters. */
  readonly weightsOf: TrainedNetwork["weightsOf"]
  /** Features of the teacher's tower. */
  readonly teacherFeatures: VisionFeatures
  /** Features of the student's frozen tower; without them its tower is a part of what is trained. */
  readonly studentFeatures: VisionFeatures | undefined
  /** Stochastic depth of a tower that is trained. */
  readonly dropPath: StochasticDepth
}

const labelsOf = ({ labels, size, length }: MicroBatch) => ({ values: labels, batch: size, length })

/** Final hidden states of the teacher, and the features it saw, which a student with the same tower shares. */
const teach = async ({ backend, teacher, teacherFeatures }: StudentAndTeacher, batch: MicroBatch, index: number) => {
  const features = await teacherFeatures.of(batch, index)
  const hidden = noGrad(() => scope(() => hiddenStates({ backend, ...teacher, batch, features })))
  return { features, hidden }
}

/** How sure the teacher is, measured before training; undefined where no loss asks for it. */
export const confidenceMeasurement = (pair: StudentAndTeacher, source: SampleSource): Measurement | undefined => {
  const { teacher, losses } = pair
  if (!measuresConfidence(losses)) return undefined
  const available = source.microBatchesOf(source.steps - 1).at(-1)! + 1
  return {
    batches: measuredBatches(losses, available),
    of: async (batch, index) => {
      const rows = losses.settings.confidenceRows === "all" ? allRows(labelsOf(batch)) : predictingRows(labelsOf(batch))
      if (rows.length === 0) return undefined
      const { features, hidden } = await teach(pair, batch, index)
      const confidence = teacherConfidence({ hidden, weight: teacher.weights.get(headMatrix(teacher.directory)) }, rows)
      for (const tensor of [features, hidden]) tensor?.release()
      const value = await confidence.item()
      confidence.release()
      return value
    }
  }
}

/** A loss with `factor` times the distance of hidden states [B, T, H] added. */
const withHidden = (
  { loss, parts }: VocabularyLoss,
  factor: number,
  student: Tensor,
  teacher: Tensor,
  batch: MicroBatch
): VocabularyLoss => {
  if (factor === 0) return { loss, parts }
  const distance = scale(hiddenDistance(student, teacher, labelsOf(batch)), factor)
  return { loss: add(loss, distance), parts: { ...parts, [hiddenPart]: noGrad(() => distance.alias()) } }
}

/** Prepares micro-batches: teacher and frozen tower have run, what is left is a function of the trained parameters. */
export const microBatchLosses = (pair: StudentAndTeacher): Training<never, never, never>["prepare"] => {
  const { backend, directory, losses, teacher, weightsOf, teacherFeatures, studentFeatures } = pair
  const pixelsOf = ({ pixelValues, tileSize, tileKeys }: MicroBatch): Tensor =>
    tensor(backend, pixelValues, [tileKeys.length, 3, tileSize, tileSize])

  /** Features as the student sees them, where its tower trains: inside what is differentiated. */
  const trainedFeatures = (weights: Weights, batch: MicroBatch, index: number): Tensor | undefined => {
    if (batch.tileKeys.length === 0) return undefined
    const { config } = directory
    const skipped = drawDropPath({ backend, config, dropPath: pair.dropPath }, index, [...batch.tileKeys.keys()])
    return visionFeatures(weights, config, pixelsOf(batch), skipped)
  }

  return async (batch, index, { measured, rematerialize }) => {
    const rows = rowLosses(losses, confidenceOf(losses, measured))
    const taught = needsTeacher(losses) ? await teach(pair, batch, index) : undefined
    const shared = studentFeatures === teacherFeatures ? taught?.features : undefined
    const frozen = shared ?? (await studentFeatures?.of(batch, index))
    return {
      lossOf: (parameters: Parameters) =>
        scope(() => {
          const weights = weightsOf(parameters)
          const features = studentFeatures ? frozen : trainedFeatures(weights, batch, index)
          const again = rematerialize ? { parameters, weightsOf } : undefined
          const hidden = hiddenStates({ backend, directory, weights, batch, features, rematerialize: again })
          const loss = vocabularyLoss({
            losses: rows,
            labels: labelsOf(batch),
            student: { hidden, weight: weights.get(headMatrix(directory)) },
            teacher: taught && { hidden: taught.hidden, weight: teacher.weights.get(headMatrix(teacher.directory)) }
          })
          return taught ? withHidden(loss, losses.settings.hidden, hidden, taught.hidden, batch) : loss
        }),
      release: () => {
        for (const tensor of [taught?.features, taught?.hidden, frozen]) tensor?.release()
      }
    }
  }
}
