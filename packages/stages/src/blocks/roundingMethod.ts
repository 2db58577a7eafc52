/** AdaRound as a way to fit a block: every rounding is learned on a fixed grid (docs/method.md, "AdaRound"). */
import {
  alphasOf,
  drawBatch,
  hardWeights,
  initialRounding,
  type LayerRounding,
  type ReconstructionOptions,
  roundingGradients,
  roundingStep,
  roundingUpdate,
  undecidedShare
} from "@speedq/adaround"
import type { BlockMethod } from "./BlockMethod.ts"

/** Tensors of a Linear's size that its optimization holds: weight, soft weight, rounding variable, two moments, gradient. */
export const roundingCopies = 6

const parts = ["alpha", "m", "v"] as const

export const roundingMethod = (options: ReconstructionOptions): BlockMethod<LayerRounding> => ({
  name: "AdaRound",
  iterations: options.iterations,
  batch: options.batch,
  parts: () => parts,
  initial: ({ grids }, random) => initialRounding(grids, random),
  draw: (state, samples) => drawBatch(state, samples, options.batch),
  step: (block, state, batch) => roundingStep(block, state, batch, options),
  cut: {
    variables: alphasOf,
    gradients: roundingGradients,
    step: (block, state, sum) => roundingUpdate(block, state, sum, options)
  },
  weights: ({ grids }, state) => hardWeights(grids, state),
  stored: ({ grids }, layer, { alpha }) => grids[layer]!.stored(alpha),
  metrics: ({ reconstruction, rounding }) => ({ loss: reconstruction, regularizer: rounding }),
  undecided: undecidedShare
})
