/** What a person wants to know of a reconstructed block. */
import type { Tensor } from "@speedq/tensors"

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
