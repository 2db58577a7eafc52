/** Gives the backend's memory of a model back. */
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"

/** Releases tensors by name; releasing one twice does nothing. */
export const releaseParameters = (parameters: Parameters): void => {
  for (const tensor of Object.values(parameters)) tensor.release()
}

export const releasePacked = (weights: PackedWeights): void => {
  for (const weight of weights.values()) weight.release()
}
