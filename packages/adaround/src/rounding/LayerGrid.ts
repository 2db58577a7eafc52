/**
 * One Linear on its fixed grid (docs/method.md, "Soft rounding"): weights as functions of the rounding variable alpha.
 *
 *   soft   w' = (clamp(floor(w / s) + h(alpha) + z, 0, 2^b - 1) - z) s,  h(alpha) = clamp(1.2 sigmoid(alpha) - 0.1, 0, 1)
 *   hard   the same with [alpha >= 0] in place of h(alpha)
 */
import {
  assertQuantizable,
  type GridParameters,
  noneQuantizer,
  type QuantizedWeight,
  type QuantizerChoice
} from "@speedq/quantizers"
import {
  type AdaroundStepAttributes,
  adaroundInitial,
  adaroundStep,
  adaroundWeight,
  gridCodes,
  gridDecode,
  noGrad,
  scope,
  type Tensor
} from "@speedq/tensors"
import { NoGrid, NothingToRound } from "../Errors.ts"

export interface LayerGrid {
  /** The full-precision weight, [N, K]. */
  readonly weight: Tensor
  readonly parameters: GridParameters
  /** alpha at which the soft weight equals the weight, where the grid reaches it. */
  readonly initialAlpha: () => Tensor
  /** What is optimized; differentiable by alpha. */
  readonly soft: (alpha: Tensor) => Tensor
  /**
   * A step of Adam on alpha, in place, from the gradient of the loss by the soft weight; returns the rounding penalty before
   * it, [1].
   */
  readonly step: (rounding: LayerRounding, gradient: Tensor, options: RoundingStepOptions) => Tensor
  /** What is kept: the bits that the stored form dequantizes to. */
  readonly hard: (alpha: Tensor) => Tensor
  /** The weight rounded to nearest on the same grid: what AdaRound must beat. */
  readonly nearest: () => Tensor
  /** The hard weight in the quantizer's stored form. */
  readonly stored: (alpha: Tensor) => QuantizedWeight
  readonly release: () => void
}

/** The penalty and Adam's settings of one step. */
export type RoundingStepOptions = Omit<AdaroundStepAttributes, "bits" | "group">

/** Optimization state of one Linear; all tensors [N, K]. */
export type LayerRounding = {
  readonly alpha: Tensor
  /** Adam's running means of the gradient and of its square. */
  readonly m: Tensor
  readonly v: Tensor
}

/** The grids of a block, by the names of its Linears. */
export type LayerGrids = { readonly [layer: string]: LayerGrid }

/** How a quantizer makes weights: of codes u8 [N, K], and of the weight itself. */
interface Rounding {
  readonly decode: (codes: Tensor) => Tensor
  readonly nearest: () => Tensor
}

/** scale (code - zero), and the nearest such. */
const plainRounding = (weight: Tensor, { scale, zero }: GridParameters, bits: number): Rounding => ({
  decode: (codes) => gridDecode(codes, scale, zero, bits),
  nearest: () => scope(() => gridDecode(gridCodes(weight, scale, zero, bits), scale, zero, bits))
})

/** Weights on a given grid of `bits`-bit codes in groups of `group` input columns. */
export const layerOnGrid = (
  weight: Tensor,
  parameters: GridParameters,
  { bits, group }: { readonly bits: number; readonly group: number },
  { decode, nearest }: Rounding = plainRounding(weight, parameters, bits)
): LayerGrid => {
  const { scale, zero, stored } = parameters
  const at = (alpha: Tensor, hard: boolean) => adaroundWeight({ weight, scale, zero, alpha }, { bits, group, hard })
  // The hard weight lies on the grid: its nearest code is the one that was chosen.
  const hardCodes = (alpha: Tensor) => scope(() => gridCodes(at(alpha, true), scale, zero, bits))
  return {
    weight,
    parameters,
    initialAlpha: () => adaroundInitial(weight, scale),
    soft: (alpha) => at(alpha, false),
    step: (rounding, gradient, options) =>
      adaroundStep({ ...rounding, dy: gradient, weight, scale, zero }, { ...options, bits, group }),
    hard: (alpha) => scope(() => decode(hardCodes(alpha))),
    nearest,
    stored: (alpha) =>
      scope(() => {
        const kept = Object.entries(stored).map(([name, tensor]) => [name, tensor.alias()] as const)
        return { codes: hardCodes(alpha), ...Object.fromEntries(kept) }
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
  const parameters = scope(() => grid.parameters(config, weight))
  return layerOnGrid(weight, parameters, grid.extents(config), {
    decode: (codes) => quantizer.dequantize(config, { codes, ...parameters.stored }, weight.shape),
    nearest: () => noGrad(() => quantizer.fakeQuantize(config, weight))
  })
}

/** A Linear of a block: its full-precision weight and what it is to be quantized with. */
export interface RoundedLayer {
  readonly weight: Tensor
  readonly choice: QuantizerChoice
}

/** Grids of a block's Linears; those that stay as they are ("none") have no grid and are left out. Raises NonFiniteWeight, WeightTooLarge, NoGrid and NothingToRound. */
export const makeLayerGrids = async (
  block: string,
  layers: { readonly [layer: string]: RoundedLayer }
): Promise<LayerGrids> => {
  const rounded = Object.entries(layers).filter(([, { choice }]) => choice.quantizer.id !== noneQuantizer.id)
  if (rounded.length === 0) throw new NothingToRound(block)
  for (const [layer, { weight, choice }] of rounded) await assertQuantizable(layer, weight, choice)
  return noGrad(() =>
    scope(() =>
      Object.fromEntries(
        rounded.map(([layer, { weight, choice }]) => [layer, makeLayerGrid(layer, choice, weight)] as const)
      )
    )
  )
}
