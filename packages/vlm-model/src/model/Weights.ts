/** Where a network gets its weights: the one seam for quantizers, adapters, packed storage and observers. */
import { layerOf, parameterOf, weightNames } from "@speedq/formats"
import { gatherRows, joinColumns, linear, type Parameters, reshape, scope, type Tensor, tensor } from "@speedq/tensors"
import { WeightMissing } from "./ModelErrors.ts"

/** A matrix [V, C] whose rows are computed when they are asked for, as it is too large to be computed as a whole. */
export interface MatrixRows {
  /** V */
  readonly count: number
  /** Index i32 [n] -> f32 [n, C], in the caller's scope. */
  readonly take: (index: Tensor) => Tensor
}

/**
 * Tensors by checkpoint name (docs/method.md, "Tensor names"). `get` may compute what it returns, for example
 * fake-quantize or unpack a layer; then the tensor belongs to the scope of the caller.
 */
export interface Weights {
  readonly get: (name: string) => Tensor
  /** Undefined where the checkpoint has no such tensor (a Linear without bias). */
  readonly find: (name: string) => Tensor | undefined
  /** The matrix of a layer of which `get` would make more than is needed; undefined for one that `get` gives as well. */
  readonly byRows?: (layer: string) => MatrixRows | undefined
  /** x W^T + bias with the matrix of a layer that `get` would have to make, where that can be had for less; else undefined. */
  readonly linear?: (layer: string, x: Tensor, bias: Tensor | undefined) => Tensor | undefined
  /** Sees the input of every Linear before it is used: calibration. */
  readonly observe?: (layer: string, input: Tensor) => void
}

/** Weights out of records of tensors; earlier records win. Raises WeightMissing. */
export const weightsFrom = (...records: readonly Parameters[]): Weights => {
  const find = (name: string): Tensor | undefined => {
    for (const record of records) {
      const tensor = record[name]
      if (tensor !== undefined) return tensor
    }
    return undefined
  }
  return {
    find,
    get: (name) => {
      const tensor = find(name)
      if (tensor === undefined) throw new WeightMissing({ name })
      return tensor
    }
  }
}

/** The same weights, those of layers replaced as they are read; biases and everything else stay. */
export const mapLayers = (
  { byRows: _, linear: __, ...weights }: Weights,
  replace: (layer: string, weight: Tensor) => Tensor
): Weights => ({
  ...weights,
  get: (name) => {
    const layer = layerOf(name)
    return layer === name ? weights.get(name) : replace(layer, weights.get(name))
  }
})

/** Rows of the matrix [V, C] of a layer: ids i32 [n...] -> [n..., C]. */
export const weightRows = (weights: Weights, layer: string, ids: Tensor): Tensor => {
  const rows = weights.byRows?.(layer)
  if (rows === undefined) return gatherRows(weights.get(parameterOf(layer)), ids)
  return scope(() => {
    const taken = rows.take(reshape(ids, [ids.size]))
    return reshape(taken, [...ids.shape, taken.shape[1]!])
  })
}

/** Numbers of a matrix that are computed together: 16 MiB in f32, and its codes beside them. */
const numbersTogether = 2 ** 22

/** x W^T with the matrix [V, C] of a layer, block by block of its rows where they are computed: [R, C] -> [R, V]. */
export const headProduct = (weights: Weights, layer: string, x: Tensor, numbers = numbersTogether): Tensor => {
  const made = weights.linear?.(layer, x, undefined)
  if (made !== undefined) return made
  const rows = weights.byRows?.(layer)
  if (rows === undefined) return linear(x, weights.get(parameterOf(layer)))
  // Blocks are joined three at a time, so at least three rows are split.
  const together = Math.max(2, Math.floor(numbers / x.shape.at(-1)!))
  const product = (first: number, count: number): Tensor =>
    scope(() => {
      if (count <= together) {
        const index = Int32Array.from({ length: count }, (_, row) => first + row)
        return linear(x, rows.take(tensor(x.backend, index, [count], "i32")))
      }
      const [second, third] = [Math.floor((count + 1) / 3), Math.floor((2 * count + 1) / 3)]
      return joinColumns(
        product(first, second),
        product(first + second, third - second),
        product(first + third, count - third)
      )
    })
  return product(0, rows.count)
}

/** y = x W^T + b with the weight and bias of the Linear `layer`: [..., K] -> [..., N]. A weight that is made for it goes with it. */
export const linearLayer = (weights: Weights, layer: string, x: Tensor): Tensor => {
  weights.observe?.(layer, x)
  const names = weightNames(layer)
  const bias = weights.find(names.bias)
  return weights.linear?.(layer, x, bias) ?? scope(() => linear(x, weights.get(names.weight), bias))
}
