/** What a person wants to know of a reconstructed block. */
import { noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import type { LayerGrid } from "../rounding/LayerGrid.ts"
import { alphasOf, type RoundingState } from "../rounding/RoundingState.ts"
import { type Block, blockError, type ReconstructionBatch, tokensOf } from "./reconstruct.ts"

export interface BlockReport {
  readonly block: string
  /** Squared error (sum over channels, mean over tokens) with the weights before rounding, against the targets: what earlier blocks left. */
  readonly errorBefore: number
  /** The same after rounding to nearest. */
  readonly errorNearest: number
  /** The same with the quantized weights that the optimization came to. */
  readonly errorFitted: number
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

/** Mean of `blockError` over the tokens of all samples, `batch` samples at a time; `weights` are made anew for each. */
export const meanBlockError = async (
  block: Block,
  weights: () => Parameters,
  samples: BlockSamples,
  batch: number
): Promise<number> => {
  let sum = 0
  let tokens = 0
  for (let first = 0; first < samples.count; first += batch) {
    const chosen = Array.from({ length: Math.min(batch, samples.count - first) }, (_, i) => first + i)
    let own = 0
    const error = noGrad(() =>
      scope(() => {
        const batch = samples.batch(chosen)
        own = tokensOf(batch)
        return blockError(block, weights(), batch)
      })
    )
    sum += own * (await error.item())
    tokens += own
    error.release()
  }
  return sum / tokens
}

/** Share of all roundings whose h is further than 1e-3 from 0 and 1. */
export const undecidedShare = async (state: RoundingState): Promise<number> => {
  let undecided = 0
  let roundings = 0
  for (const alpha of Object.values(alphasOf(state))) {
    undecided += await countUndecided(alpha)
    roundings += alpha.size
  }
  return undecided / roundings
}

/** Measures a block before, after rounding to nearest, and with the weights that `fitted` makes anew for each mini-batch. */
export const reportBlock = async (
  block: Block,
  fitted: () => Parameters,
  samples: BlockSamples,
  batch: number
): Promise<BlockReport> => {
  const errorWith = (weights: () => Parameters) => meanBlockError(block, weights, samples, batch)
  const each = (weightOf: (grid: LayerGrid) => Tensor) => () =>
    Object.fromEntries(Object.entries(block.grids).map(([layer, grid]) => [layer, weightOf(grid)]))
  return {
    block: block.name,
    errorBefore: await errorWith(each(({ weight }) => weight)),
    errorNearest: await errorWith(each(({ nearest }) => nearest())),
    errorFitted: await errorWith(fitted)
  }
}
