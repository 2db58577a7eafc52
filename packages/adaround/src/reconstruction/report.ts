/** What a person wants to know of a reconstructed block. */
import { noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import type { LayerGrid } from "../rounding/LayerGrid.ts"
import { alphasOf, type RoundingState } from "../rounding/RoundingState.ts"
import { type Block, blockError, type ReconstructionBatch } from "./reconstruct.ts"

export interface BlockReport {
  readonly block: string
  /** Squared error (sum over channels, mean over tokens) with the weights before rounding, against the targets: what earlier blocks left. */
  readonly errorBefore: number
  /** The same after rounding to nearest. */
  readonly errorNearest: number
  /** The same after AdaRound, hard. */
  readonly errorAdaround: number
  /** Share of roundings whose h is further than 1e-3 from 0 and 1. */
  readonly undecided: number
}

/** Calibration samples of a block. */
export interface BlockSamples {
  readonly count: number
  /** Inputs and targets of some samples, in the caller's scope. */
  readonly batch: (samples: ArrayLike<number>) => ReconstructionBatch
}

const undecidedMargin = 1e-3

/** Roundings of one layer that are still between: h(alpha) further than 1e-3 from both ends. */
export const countUndecided = async (alpha: Tensor): Promise<number> => {
  const values = await alpha.read()
  let undecided = 0
  for (const value of values) {
    const h = Math.min(1, Math.max(0, 1.2 / (1 + Math.exp(-value)) - 0.1))
    if (h > undecidedMargin && h < 1 - undecidedMargin) undecided++
  }
  return undecided
}

/** Mean of `blockError` over all samples, `batch` of them at a time; `weights` are made anew for each. */
export const meanBlockError = async (
  block: Block,
  weights: () => Parameters,
  samples: BlockSamples,
  batch: number
): Promise<number> => {
  let sum = 0
  for (let first = 0; first < samples.count; first += batch) {
    const chosen = Array.from({ length: Math.min(batch, samples.count - first) }, (_, i) => first + i)
    const error = noGrad(() => scope(() => blockError(block, weights(), samples.batch(chosen))))
    sum += chosen.length * (await error.item())
    error.release()
  }
  return sum / samples.count
}

/** Measures a block before, after rounding to nearest, and with the rounding that `state` has come to. */
export const reportBlock = async (
  block: Block,
  state: RoundingState,
  samples: BlockSamples,
  batch: number
): Promise<BlockReport> => {
  const error = (weightOf: (layer: string, grid: LayerGrid) => Tensor) => {
    const weights = () =>
      Object.fromEntries(Object.entries(block.grids).map(([layer, grid]) => [layer, weightOf(layer, grid)]))
    return meanBlockError(block, weights, samples, batch)
  }
  const alphas = alphasOf(state)
  let undecided = 0
  let roundings = 0
  for (const alpha of Object.values(alphas)) {
    undecided += await countUndecided(alpha)
    roundings += alpha.size
  }
  return {
    block: block.name,
    errorBefore: await error((_, { weight }) => weight),
    errorNearest: await error((_, { nearest }) => nearest()),
    errorAdaround: await error((layer, { hard }) => hard(alphas[layer]!)),
    undecided: undecided / roundings
  }
}
