/**
 * The decoder of the teacher between the times that it teaches: in memory, or in its file alone, where the 16-bit matrices of a whole
 * decoder are too much beside a student that learns. They are read layer by layer, and each is given back when it is used; the system
 * keeps the file in memory that nothing else wants.
 */
import type { SourceModel } from "@speedq/exports"
import { parameterOf, Safetensors } from "@speedq/formats"
import type { RecipeSettings } from "@speedq/pipeline"
import type { Backend } from "@speedq/tensors"
import {
  embeddingLayerOf,
  linearLayers,
  type ModelConfig,
  towerOf,
  type Weights,
  weightReader,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { modelUnreadable, RulesInvalid } from "../Errors.ts"
import { checkpointFiles } from "../model/checkpointFiles.ts"
import { trying } from "../model/trying.ts"
import type { TrainingOptions } from "./TrainingMethod.ts"

/** Names of the matrices that may be in the file alone: those of decoder layers, and the embedding where it is not the head as well. */
export const matricesInFile = (config: ModelConfig): readonly string[] => {
  const layers = [...linearLayers(config).keys()].filter((layer) => towerOf(layer) === "language")
  const { llm_config: language } = config
  return [...layers, ...(language.tie_word_embeddings ? [] : [embeddingLayerOf(language)])].map(parameterOf)
}

/** Fails with RulesInvalid where the teacher's decoder is to be read from a file that can only be read as a whole. */
export const requireTeacherFile = Effect.fnUntraced(function* (
  { teacherWeights }: Pick<TrainingOptions, "teacherWeights">,
  { model, teacher = model, parts }: Pick<RecipeSettings, "model" | "teacher" | "parts">
) {
  if (teacherWeights !== "file") return
  const refused = (what: string) =>
    new RulesInvalid({
      reason: `teacherWeights is "file", but ${what}: layers are read from a safetensors checkpoint of the model's own directory; write one, or leave teacherWeights out`
    })
  const { kind, files } = yield* Effect.mapError(
    trying(() => checkpointFiles(teacher)),
    modelUnreadable(teacher)
  )
  if (kind === "torch" && files.length > 0) return yield* refused(`${teacher} has a PyTorch checkpoint`)
  if (teacher === model && parts?.language !== undefined) {
    return yield* refused(`parts.language takes the decoder from ${parts.language}`)
  }
})

interface TeacherOptions {
  readonly backend: Backend
  readonly place: TrainingOptions["teacherWeights"]
  readonly model: SourceModel
  readonly teacher: SourceModel
  /** Whether the student has a copy of its own of a matrix: trained, or quantized once. */
  readonly isCopied: (name: string) => boolean
}

interface TeacherWeights {
  readonly weights: Weights
  /** To be called when the student has its own copies, once or more often: gives back what is in the file. */
  readonly leaveMemory: () => void
}

/** The teacher's weights, for the life of the scope. Fails with ModelUnreadable. */
export const makeTeacherWeights = Effect.fnUntraced(function* (options: TeacherOptions) {
  const { backend, place, model, teacher, isCopied } = options
  const resident = weightsFrom(teacher.weights)
  const inMemory: TeacherWeights = { weights: resident, leaveMemory: () => {} }
  if (place !== "file") return inMemory
  const { directory, config } = teacher.directory
  const unreadable = modelUnreadable(directory)
  const { store } = yield* Effect.mapError(Safetensors.openModel(directory), unreadable)
  const read = yield* Effect.mapError(
    trying(() => weightReader(backend, config, store)),
    unreadable
  )
  // A student without a copy of a matrix uses the model's own.
  const spared = matricesInFile(model.directory.config).filter(isCopied)
  const released = new Set(teacher === model ? spared : matricesInFile(config))
  let isInFile = false
  const onDisk: TeacherWeights = {
    weights: {
      find: (name) => (isInFile && released.has(name) ? read(name) : resident.find(name)),
      get: (name) => (isInFile && released.has(name) ? read(name) : resident.get(name))
    },
    leaveMemory: () => {
      isInFile = true
      for (const name of released) teacher.weights[name]?.release()
      for (const name of spared) model.weights[name]?.release()
    }
  }
  return onDisk
})
