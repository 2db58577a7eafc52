/** A model that is ready to be asked, whatever form its weights are in. */
import { type PackedModel, packedWeights, releasePacked, releaseParameters, withActivations } from "@speedq/exports"
import type { Activations, Parameters } from "@speedq/tensors"
import { type AnsweringModel, type Weights, weightsFrom } from "@speedq/vlm-model"

export interface OpenedModel extends AnsweringModel {
  /** "packed": weights are multiplied as codes where rows are few, else unpacked layer by layer while they are used. */
  readonly storage: "whole" | "packed"
  /** Bytes of the weights in the backend's memory. */
  readonly bytes: number
}

/** Weights in memory, and how a network reads them. */
interface LoadedWeights {
  readonly storage: OpenedModel["storage"]
  readonly weights: Weights
  readonly bytes: number
  readonly release: () => void
}

const bytesOf = (parameters: Parameters): number =>
  Object.values(parameters).reduce((sum, { storage }) => sum + storage.handle.bytes, 0)

export const wholeModel = (parameters: Parameters): LoadedWeights => ({
  storage: "whole",
  weights: weightsFrom(parameters),
  bytes: bytesOf(parameters),
  release: () => releaseParameters(parameters)
})

/** `activations`: what a few rows of x are rounded to before codes multiply them. */
export const packedModel = ({ packed, others }: PackedModel, activations: Activations = "f32"): LoadedWeights => ({
  storage: "packed",
  weights: withActivations(packedWeights(packed, others), packed, activations),
  bytes: [...packed.values()].reduce((sum, weight) => sum + weight.bytes, bytesOf(others)),
  release: () => {
    releasePacked(packed)
    releaseParameters(others)
  }
})
