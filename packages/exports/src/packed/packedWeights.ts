/**
 * Weights of a network that are kept packed: a layer is multiplied by its codes where that takes less time than to unpack it first,
 * else it is unpacked for as long as it is used; embedding and head by rows.
 */
import { parameterOf } from "@speedq/formats"
import type { PackedWeights } from "@speedq/quantizers"
import { type Activations, noGrad, type Parameters } from "@speedq/tensors"
import { type Weights, weightsFrom } from "@speedq/vlm-model"

/** As little memory as the packed form and one layer. What is not packed is looked for in `others`, in order. */
export const packedWeights = (packed: PackedWeights, ...others: readonly Parameters[]): Weights => {
  const plain = weightsFrom(...others)
  const matrices = new Map([...packed].map(([layer, weight]) => [parameterOf(layer), weight]))
  const unpacked = (name: string) => {
    const weight = matrices.get(name)
    return weight && noGrad(() => weight.unpack())
  }
  return {
    find: (name) => unpacked(name) ?? plain.find(name),
    get: (name) => unpacked(name) ?? plain.get(name),
    linear: (layer, x, bias) => packed.get(layer)?.linear(x, bias),
    byRows: (layer) => {
      const { shape, unpackRows } = packed.get(layer) ?? {}
      return unpackRows && shape && { count: shape[0]!, take: (index) => noGrad(() => unpackRows(index)) }
    }
  }
}

/** The same weights where x of few rows is rounded to `activations` before it is multiplied by the codes. */
export const withActivations = (weights: Weights, packed: PackedWeights, activations: Activations): Weights => ({
  ...weights,
  linear: (layer, x, bias) => packed.get(layer)?.linear(x, bias, activations)
})

/** All packed weights at once, in f32, in the caller's scope: faster for a model that answers much. */
export const unpackAll = (packed: PackedWeights): Parameters =>
  noGrad(() => Object.fromEntries([...packed].map(([layer, weight]) => [parameterOf(layer), weight.unpack()])))
