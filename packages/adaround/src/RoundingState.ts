/** What AdaRound optimizes and must remember to be continued: one alpha a weight, Adam's moments, the iteration, the random stream. */
import type { RandomState, Tensor } from "@speedq/tensors"

/** Optimization state of one Linear; all tensors [N, K]. */
export interface LayerRounding {
  readonly alpha: Tensor
  /** Adam's running means of the gradient and of its square. */
  readonly m: Tensor
  readonly v: Tensor
}

export interface RoundingState {
  /** Iterations done. */
  readonly iteration: number
  readonly layers: { readonly [layer: string]: LayerRounding }
  /** Draws the mini-batches. */
  readonly random: RandomState
}
