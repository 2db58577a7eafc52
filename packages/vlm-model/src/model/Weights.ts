/** Where a network gets its weights: the one seam for quantizers, adapters, packed storage and observers. */
import { linear, type Parameters, type Tensor } from "@speedq/tensors"
import { WeightMissing } from "./ModelErrors.ts"

/**
 * Tensors by checkpoint name (internvl3.md 2.1). `get` may compute what it returns, for example fake-quantize or unpack a
 * layer; then the tensor belongs to the scope of the caller.
 */
export interface Weights {
  readonly get: (name: string) => Tensor
  /** Undefined where the checkpoint has no such tensor (a Linear without bias). */
  readonly find: (name: string) => Tensor | undefined
  /** Sees the input of every Linear before it is used: calibration. */
  readonly observe?: (layer: string, input: Tensor) => void
}

/** Weights out of records of tensors; earlier records win. Raises WeightMissing. */
export const weightsFrom = (...records: readonly Parameters[]): Weights => {
  const find = (name: string): Tensor | undefined => records.find((record) => record[name] !== undefined)?.[name]
  return {
    find,
    get: (name) => {
      const tensor = find(name)
      if (tensor === undefined) throw new WeightMissing({ name })
      return tensor
    }
  }
}

/** The same weights, some of them replaced as they are read: `replace(name, tensor)`. */
export const mapWeights = (weights: Weights, replace: (name: string, tensor: Tensor) => Tensor): Weights => ({
  ...weights,
  get: (name) => replace(name, weights.get(name))
})

/** y = x W^T + b with the weight and bias of the Linear `layer`: [..., K] -> [..., N]. */
export const linearLayer = (weights: Weights, layer: string, x: Tensor): Tensor => {
  weights.observe?.(layer, x)
  return linear(x, weights.get(`${layer}.weight`), weights.find(`${layer}.bias`))
}
