/** The network that is trained: where it starts, and how its weights are made of the trained parameters. */
import { releaseParameters, type SourceModel } from "@speedq/exports"
import { layerOf } from "@speedq/formats"
import { clippedWeight, type QuantizerChoice } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import { mapLayers, type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { copyParameters } from "../model/copyParameters.ts"
import { quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { owned } from "../model/stageMemory.ts"
import type { TrainedNetwork } from "./hiddenStates.ts"
import type { Quantized, TrainingInput } from "./TrainingMethod.ts"

interface StudentOptions {
  readonly model: SourceModel
  readonly input: TrainingInput
  readonly quantized: Quantized
  readonly trains: (name: string) => boolean
}

interface Student {
  /** New tensors that training starts from. */
  readonly initial: () => Parameters
  readonly weightsOf: TrainedNetwork["weightsOf"]
}

/** Weights clipped, once, to the ranges that the clipping search found; in the caller's scope. */
const clipped = (weights: Parameters, ranges: Parameters | undefined): Parameters =>
  Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, clippedWeight(layerOf(name), weight, ranges) ?? weight])
  )

/** Weights as training sees them: quantized by the choice of their layer, everything else as it is. */
const fakeQuantized = (weights: Weights, choices: ReadonlyMap<string, QuantizerChoice>): Weights =>
  mapLayers(weights, (layer, tensor) => {
    const choice = choices.get(layer)
    return choice === undefined ? tensor : choice.quantizer.fakeQuantize(choice.config, tensor)
  })

/**
 * The student of a training stage, for the life of the scope: trained weights start as the earlier stages left them, embedding
 * and head are quantized once, from the original, and Linears with a quantizer are fake-quantized whenever they are read.
 */
export const makeStudent = Effect.fnUntraced(function* ({ model, input, quantized, trains }: StudentOptions) {
  const { linears, embeddings } = quantized
  const frozen = yield* owned(
    Effect.sync(() => quantizedEmbeddings(model.weights, embeddings.choices)),
    releaseParameters
  )
  const student: Student = {
    initial: () => clipped(copyParameters({ ...model.weights, ...input.projector }, trains), input.clipping),
    weightsOf: (parameters) => fakeQuantized(weightsFrom(parameters, frozen, model.weights), linears.choices)
  }
  return student
})
