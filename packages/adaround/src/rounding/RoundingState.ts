/** What AdaRound optimizes: one alpha a weight, with Adam's moments. */
import { type Parameters, type Random, zeros } from "@speedq/tensors"
import type { BlockState } from "../reconstruction/BlockState.ts"
import type { LayerGrids, LayerRounding } from "./LayerGrid.ts"

export type RoundingState = BlockState<LayerRounding>

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

/** The weights that the roundings of a state stand for. */
export const hardWeights = (grids: LayerGrids, state: RoundingState): Parameters =>
  Object.fromEntries(Object.entries(alphasOf(state)).map(([layer, alpha]) => [layer, grids[layer]!.hard(alpha)]))
