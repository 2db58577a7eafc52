/** A tower of blocks as block-wise stages see it: what a block computes, and what the first one gets of each calibration sample. */
import type { Parameters, Tensor } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import type * as Effect from "effect/Effect"
import type { Seen } from "../calibration/seen.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import { type Choices, quantizing } from "../model/plannedLayers.ts"

/** What the first block gets of a sample, [1, T, C]. Who gives them releases them. */
export interface FirstInputs {
  /** In the quantized model. */
  readonly quantized: Tensor
  /** In the full-precision model. The same tensor where nothing before the tower is quantized. */
  readonly original: Tensor
}

export interface BlockTower<E, R> {
  /** As reports name one of its blocks: "vision block". */
  readonly title: string
  /** Names of the blocks, in order. */
  readonly blocks: readonly string[]
  /** Full-precision weights. */
  readonly weights: Parameters
  /** Block `index`, [B, T, C] -> [B, T, C]. Where samples are filled up at their ends, what fills them changes nothing of theirs. */
  readonly forward: (weights: Weights, index: number, x: Tensor) => Tensor
  /** Calibration samples. */
  readonly count: number
  /** What is told when the stage begins, before any sample is visited. */
  readonly begins?: Effect.Effect<void, never, R>
  /** Calls `see` for every sample, in order. `begins` is false in a run that is continued: events were told before. */
  readonly visit: <E2, R2>(
    see: (inputs: FirstInputs, sample: number) => Effect.Effect<void, E2, R2>,
    begins: boolean
  ) => Effect.Effect<void, E | E2, R | R2>
  /** What the last visit saw of records, where samples are of such. */
  readonly seen?: () => Seen | undefined
}

/** Places of the blocks that have anything to quantize, in order. */
export const quantizedBlocks = (choices: Choices, blocks: readonly string[]): readonly number[] => {
  const quantized = quantizing(choices)
  return [...blocks.keys()].filter((index) => layersOfBlock(quantized, blocks[index]!).size > 0)
}
