/** One Linear on its fixed grid: weights as functions of the rounding variable alpha (adaround.md 3). */
import type { GridParameters, QuantizedWeight, QuantizerChoice } from "@speedq/quantizers"
import { adaroundInitial, adaroundWeight, gridCodes, scope, type Tensor } from "@speedq/tensors"
import { NoGrid } from "./Errors.ts"

export interface LayerGrid {
  /** The full-precision weight, [N, K]. */
  readonly weight: Tensor
  readonly parameters: GridParameters
  /** alpha at which the soft weight equals the weight. */
  readonly initialAlpha: () => Tensor
  /** (clamp(floor(w / s) + h(alpha) + z, 0, 2^b - 1) - z) s, differentiable by alpha. */
  readonly soft: (alpha: Tensor) => Tensor
  /** The same with alpha >= 0 in place of h(alpha): what is kept. */
  readonly hard: (alpha: Tensor) => Tensor
  /** The hard weight in the quantizer's stored form. */
  readonly stored: (alpha: Tensor) => QuantizedWeight
  readonly release: () => void
}

/** Weights on a given grid of `bits`-bit codes in groups of `group` input columns. */
export const layerOnGrid = (
  weight: Tensor,
  parameters: GridParameters,
  { bits, group }: { readonly bits: number; readonly group: number }
): LayerGrid => {
  const { scale, zero, stored } = parameters
  const at = (alpha: Tensor, hard: boolean) => adaroundWeight({ weight, scale, zero, alpha }, { bits, group, hard })
  return {
    weight,
    parameters,
    initialAlpha: () => adaroundInitial(weight, scale),
    soft: (alpha) => at(alpha, false),
    hard: (alpha) => at(alpha, true),
    stored: (alpha) =>
      scope(() => {
        const codes = gridCodes(at(alpha, true), scale, zero, bits)
        const kept = Object.entries(stored).map(([name, tensor]) => [name, tensor.alias()] as const)
        return { codes, ...Object.fromEntries(kept) }
      }),
    release: () => {
      for (const tensor of [scale, zero, ...Object.values(stored)]) tensor.release()
    }
  }
}

/** Puts a weight on the grid of its quantizer. Raises NoGrid for quantizers whose codes cannot be chosen freely. */
export const makeLayerGrid = (layer: string, { quantizer, config }: QuantizerChoice, weight: Tensor): LayerGrid => {
  const { grid } = quantizer
  if (grid === undefined) throw new NoGrid(layer, quantizer.id)
  return layerOnGrid(
    weight,
    scope(() => grid.parameters(config, weight)),
    grid.extents(config)
  )
}
