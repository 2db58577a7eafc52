/**
 * What Linears read, summed over calibration tokens: second moments X^T X [K, K], which say what a changed weight changes in the output
 * (GPTQ's Hessians), and magnitudes, the sum of |x| [K] (AWQ's). Where tokens count by weights w, second moments are
 * X^T diag(w) X: each row is multiplied by the root of its weight, so that the sum stays symmetric to the bit.
 */
import {
  add,
  addInto,
  type Backend,
  clampGroups,
  columnSums,
  keep,
  matmulInto,
  noGrad,
  reshape,
  scale,
  scaleRows,
  scope,
  type Tensor,
  tensor,
  zeros
} from "@speedq/tensors"
import { largestSingle } from "../quantizers/largest.ts"

export interface InputSum {
  readonly sum: Tensor
  readonly tokens: number
}

export interface InputSums {
  /** Takes the next inputs [..., K] of a Linear; fits `Weights.observe` of a network. */
  readonly observe: (layer: string, inputs: Tensor) => void
  /** By layer: one object for all Linears that read the same inputs, such as queries, keys and values. */
  readonly sums: ReadonlyMap<string, InputSum>
  readonly release: () => void
}

interface Kind {
  readonly zero: (backend: Backend, columns: number) => Tensor
  /** Adds inputs [tokens, K] to a sum in place. */
  readonly add: (sum: Tensor, rows: Tensor) => void
}

/** Factors of all rows that a layer will read, in the order in which they come; undefined where they stay as they are. */
export type RowFactors = (layer: string) => Float32Array | undefined

/** Rows [count, K] that come after `first` others, by their factors. In the caller's scope. */
const scaledRows = (rows: Tensor, factors: Float32Array | undefined, first: number): Tensor => {
  if (factors === undefined) return rows
  const count = rows.shape[0]!
  return scaleRows(rows, tensor(rows.backend, factors.slice(first, first + count), [count]))
}

/**
 * Sums of one kind over the inputs of the layers that are wanted, their rows multiplied by `rowFactors`. Layers that read the same inputs
 * have the same factors.
 */
const collectSums =
  (kind: Kind) =>
  (isWanted: (layer: string) => boolean, rowFactors: RowFactors = () => undefined): InputSums => {
    const sums = new Map<string, { readonly sum: Tensor; tokens: number }>()
    /** The inputs that came last: what reads them next has the same sum. */
    let last: { readonly inputs: Tensor; readonly own: { readonly sum: Tensor; tokens: number } } | undefined

    const observe = (layer: string, inputs: Tensor): void => {
      if (!isWanted(layer)) return
      if (last?.inputs === inputs) {
        sums.set(layer, last.own)
        return
      }
      const columns = inputs.shape.at(-1)!
      const own = sums.get(layer) ?? { sum: keep(kind.zero(inputs.backend, columns)), tokens: 0 }
      sums.set(layer, own)
      const tokens = inputs.size / columns
      noGrad(() =>
        scope(() => kind.add(own.sum, scaledRows(reshape(inputs, [tokens, columns]), rowFactors(layer), own.tokens)))
      )
      own.tokens += tokens
      last = { inputs, own }
    }
    return {
      observe,
      sums,
      release: () => {
        for (const { sum } of sums.values()) sum.release()
      }
    }
  }

/** X^T X, [K, K]; in f32 whatever the backend multiplies in, as what is rounded by it must be. */
export const collectHessians = collectSums({
  zero: (backend, columns) => zeros(backend, [columns, columns]),
  add: (sum, rows) => matmulInto(sum, rows, rows, true, false, "f32")
})

/** |x| = 2 max(x, 0) - x, of numbers up to half of the largest. */
const magnitudes = (x: Tensor): Tensor => {
  const [rows] = x.shape as readonly [number, number]
  const every = (value: number) => tensor(x.backend, new Float32Array(rows).fill(value), [rows, 1])
  return add(scale(clampGroups(x, every(0), every(largestSingle)), 2), scale(x, -1))
}

/** The sum of |x|, [K]. */
export const collectMagnitudes = collectSums({
  zero: (backend, columns) => zeros(backend, [columns]),
  add: (sum, rows) => addInto(sum, columnSums(magnitudes(rows)))
})
