/** Joins samples of different lengths to one batch. */

import { ignoredLabel } from "@speedq/tensors"
import { normalizeTiles, type PixelStatistics } from "../image/normalize.ts"
import { joinTiles } from "../image/tiling.ts"
import type { TrainingSample } from "./trainingSample.ts"

/** B samples, padded on the right to the longest, L; T tiles in all. */
export interface TrainingBatch {
  readonly size: number
  readonly length: number
  /** [B, L], padded with 0. */
  readonly inputIds: Int32Array
  /** [B, L], padded with -100. Not shifted. */
  readonly labels: Int32Array
  /** [B, L]: 1 on a sample's tokens. */
  readonly attentionMask: Uint8Array
  /** [B, L], padded with 0. */
  readonly positionIds: Int32Array
  /** [T, 3, S, S], normalized. */
  readonly pixelValues: Float32Array
  readonly tileSize: number
  /** [T]: 0 for the white tile of a text-only sample. */
  readonly imageFlags: Uint8Array
}

export interface CollateOptions {
  readonly statistics: PixelStatistics
  /** The reference's quirk: token 0, "!" in the released tokenizer, is taken for padding and hidden from attention. */
  readonly maskTokenZero?: boolean
}

/** Throws RangeError for no samples. */
export const collate = (samples: ReadonlyArray<TrainingSample>, options: CollateOptions): TrainingBatch => {
  const first = samples[0]
  if (first === undefined) throw new RangeError("a batch needs at least one sample")
  const size = samples.length
  const length = Math.max(...samples.map(({ inputIds }) => inputIds.length))
  const inputIds = new Int32Array(size * length)
  const labels = new Int32Array(size * length).fill(ignoredLabel)
  const attentionMask = new Uint8Array(size * length)
  const positionIds = new Int32Array(size * length)
  for (const [row, sample] of samples.entries()) {
    const start = row * length
    inputIds.set(sample.inputIds, start)
    labels.set(sample.labels, start)
    positionIds.set(sample.positionIds, start)
    attentionMask.fill(1, start, start + sample.inputIds.length)
  }
  if (options.maskTokenZero) for (let at = 0; at < inputIds.length; at++) attentionMask[at] = inputIds[at] === 0 ? 0 : 1
  const tileSize = first.tiles.size
  const tiles = joinTiles(
    samples.map((sample) => sample.tiles),
    tileSize
  )
  return {
    size,
    length,
    inputIds,
    labels,
    attentionMask,
    positionIds,
    pixelValues: normalizeTiles(tiles, options.statistics),
    tileSize,
    imageFlags: Uint8Array.from(samples.flatMap((sample) => [...sample.imageFlags]))
  }
}
