/** The weights of a model in memory, as a network reads them, whatever form they are in. */
import type { TensorStore } from "@speedq/formats"
import { isPackedContainer, type Quantizer } from "@speedq/quantizers"
import type { Backend, Parameters } from "@speedq/tensors"
import { loadWeights, type ModelConfig, type Weights, weightsFrom } from "@speedq/vlm-model"
import { releasePacked, releaseParameters } from "../model/releases.ts"
import { packedWeights, withActivations } from "./packedWeights.ts"
import { type PackedModel, readPackedModel } from "./readPackedModel.ts"

export interface LoadedWeights {
  /** "packed": weights are multiplied as codes where that takes less time, else unpacked layer by layer while they are used. */
  readonly storage: "whole" | "packed"
  readonly weights: Weights
  /** The same where few rows of x are rounded to int8 before codes multiply them; undefined for weights that are no codes. */
  readonly int8: Weights | undefined
  /** Bytes of the weights in the backend's memory. */
  readonly bytes: number
  readonly release: () => void
}

const bytesOf = (parameters: Parameters): number =>
  Object.values(parameters).reduce((sum, { storage }) => sum + storage.handle.bytes, 0)

export const wholeModel = (parameters: Parameters): LoadedWeights => ({
  storage: "whole",
  weights: weightsFrom(parameters),
  int8: undefined,
  bytes: bytesOf(parameters),
  release: () => releaseParameters(parameters)
})

export const packedModel = ({ packed, others }: PackedModel): LoadedWeights => {
  const weights = packedWeights(packed, others)
  return {
    storage: "packed",
    weights,
    int8: withActivations(weights, packed, "int8"),
    bytes: [...packed.values()].reduce((sum, weight) => sum + weight.bytes, bytesOf(others)),
    release: () => {
      releasePacked(packed)
      releaseParameters(others)
    }
  }
}

/**
 * Reads a checkpoint or a packed container of `config`'s model; `known` are the quantizers that a container may name. Raises what
 * `readPackedModel` and `loadWeights` raise; nothing stays allocated then.
 *
 * @example readModelWeights(backend, directory.config, store, quantizers).weights
 */
export const readModelWeights = (
  backend: Backend,
  config: ModelConfig,
  store: TensorStore,
  known: readonly Quantizer[]
): LoadedWeights =>
  isPackedContainer(store)
    ? packedModel(readPackedModel(backend, config, store, known))
    : wholeModel(loadWeights(backend, config, store))
