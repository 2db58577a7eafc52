/** Where training starts: copies of the weights, clamped to the ranges that the clipping search found (internvl3.md 6.8). */
import { clampedWeight } from "@speedq/exports"
import type { Parameters } from "@speedq/tensors"
import { copyParameters } from "../model/copyParameters.ts"

/** Trained weights clamped to their ranges, once, before training; all of them new tensors. */
export const clippedStart = (
  weights: Parameters,
  select: (name: string) => boolean,
  ranges: Parameters | undefined
): Parameters =>
  Object.fromEntries(
    Object.entries(copyParameters(weights, select)).map(([name, parameter]) => [
      name,
      clampedWeight(name, parameter, ranges) ?? parameter
    ])
  )
