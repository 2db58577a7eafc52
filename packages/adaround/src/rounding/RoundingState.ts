/** What AdaRound optimizes and must remember to be continued: one alpha a weight, Adam's moments, the iteration, the random stream. */
import { type Parameters, type Random, type RandomState, zeros } from "@speedq/tensors"
import type { LayerGrids, LayerRounding } from "./LayerGrid.ts"

/** Everything an interrupted optimization needs; tensors are updated in place by `roundingStep`. */
export interface RoundingState {
  /** Iterations done. */
  readonly iteration: number
  readonly layers: { readonly [layer: string]: LayerRounding }
  /** Stream that draws the mini-batches. */
  readonly random: RandomState
}

/** The state before the first iteration: soft weights equal the weights. */
export const initialRounding = (grids: LayerGrids, random: Random): RoundingState => ({
  iteration: 0,
  layers: Object.fromEntries(
    Object.entries(grids).map(([layer, { weight, initialAlpha }]) => [
      layer,
      { alpha: initialAlpha(), m: zeros(weight.backend, weight.shape), v: zeros(weight.backend, weight.shape) }
    ])
  ),
  random: random.save()
})

/** The rounding variables by layer. */
export const alphasOf = ({ layers }: RoundingState): Parameters =>
  Object.fromEntries(Object.entries(layers).map(([layer, { alpha }]) => [layer, alpha]))

/** Releases the tensors of a state. */
export const releaseRounding = ({ layers }: RoundingState): void => {
  for (const { alpha, m, v } of Object.values(layers)) for (const tensor of [alpha, m, v]) tensor.release()
}
