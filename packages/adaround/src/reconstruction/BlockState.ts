/** What the optimization of a block must remember to be continued: tensors of each layer, the iteration, the random stream. */
import type { Parameters, RandomState } from "@speedq/tensors"

/** Everything an interrupted optimization needs; its steps update the tensors in place. */
export interface BlockState<L extends Parameters = Parameters> {
  /** Iterations done. */
  readonly iteration: number
  readonly layers: { readonly [layer: string]: L }
  /** Stream that draws the mini-batches. */
  readonly random: RandomState
}

/** Releases the tensors of a state. */
export const releaseBlockState = ({ layers }: Pick<BlockState, "layers">): void => {
  for (const tensors of Object.values(layers)) for (const tensor of Object.values(tensors)) tensor.release()
}
