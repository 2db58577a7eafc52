/** Features of a frozen vision tower, computed once a sample and kept up to a budget. */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { type ModelConfig, tokensPerTile, visionFeatures, type Weights } from "@speedq/vlm-model"
import type { MicroBatch } from "./SampleSource.ts"

export interface VisionFeatureCache {
  /** Features [tiles, tokens, 4 C] of all tiles of a micro-batch, undefined when it has none. The caller releases them. */
  readonly of: (batch: MicroBatch) => Promise<Tensor | undefined>
  /** Bytes kept. */
  readonly bytes: () => number
}

/** Features of `weights`' tower; kept on the host while they take no more than `budget` bytes. */
export const makeVisionFeatureCache = (
  backend: Backend,
  config: ModelConfig,
  weights: Weights,
  budget: number
): VisionFeatureCache => {
  const kept = new Map<number, Float32Array>()
  const floatsOfTile = tokensPerTile(config) * 4 * config.vision_config.hidden_size
  let bytes = 0

  /** Features of the tiles [first, first + count) of a batch. */
  const compute = async (batch: MicroBatch, first: number, count: number): Promise<Float32Array> => {
    const { tileSize, pixelValues } = batch
    const pixelsOfTile = 3 * tileSize ** 2
    const features = noGrad(() =>
      scope(() => {
        const pixels = pixelValues.subarray(first * pixelsOfTile, (first + count) * pixelsOfTile)
        return visionFeatures(weights, config, tensor(backend, pixels, [count, 3, tileSize, tileSize]))
      })
    )
    const values = (await features.read()) as Float32Array
    features.release()
    return values
  }

  return {
    bytes: () => bytes,
    of: async (batch) => {
      const total = batch.tilesOf.reduce((sum, count) => sum + count, 0)
      if (total === 0) return undefined
      const joined = new Float32Array(total * floatsOfTile)
      let first = 0
      for (const [row, sample] of batch.samples.entries()) {
        const count = batch.tilesOf[row]!
        if (count === 0) continue
        const features = kept.get(sample) ?? (await compute(batch, first, count))
        if (!kept.has(sample) && bytes + features.byteLength <= budget) {
          kept.set(sample, features)
          bytes += features.byteLength
        }
        joined.set(features, first * floatsOfTile)
        first += count
      }
      return tensor(backend, joined, [total, tokensPerTile(config), floatsOfTile / tokensPerTile(config)])
    }
  }
}
