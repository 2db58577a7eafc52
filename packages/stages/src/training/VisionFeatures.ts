/** Features of a frozen vision tower: computed once a tile, kept on the host up to a budget. */
import { type Backend, noGrad, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  blocksUsed,
  type DropPath,
  type ModelConfig,
  tokensPerTile,
  visionFeatures,
  type Weights
} from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"

export interface VisionFeatures {
  /** Features [tiles, tokens, 4 C] of all tiles of a micro-batch, undefined when it has none. The caller releases them. */
  readonly of: (batch: MicroBatch, index: number) => Promise<Tensor | undefined>
  /** Bytes kept. */
  readonly bytes: () => number
}

/** Stochastic depth of the last block, falling to 0 at the first. */
export interface StochasticDepth {
  readonly rate: number
  readonly seed: number
}

interface VisionFeaturesOptions {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly weights: Weights
  /** Bytes of features that may be kept. */
  readonly budget: number
  /** With it, features are drawn anew every time. */
  readonly dropPath?: StochasticDepth
}

/** Factors of a tile's two branches in each block: 0 with the block's rate, else 1 / (1 - rate). */
const drawFactors = (config: ModelConfig, { rate: highest, seed }: StochasticDepth, stream: string) => {
  const random = Random.make(seed, `stochastic depth of ${stream}`)
  const last = Math.max(1, config.vision_config.num_hidden_layers - 1)
  return Array.from({ length: blocksUsed(config) }, (_, block) => {
    const rate = (highest * block) / last
    const draw = () => (random.nextUniform() < rate ? 0 : 1 / (1 - rate))
    return { attention: draw(), mlp: draw() }
  })
}

/** Which branches of which block are skipped for some tiles of a micro-batch, each drawn from a stream of its own. */
export const drawDropPath = (
  { backend, config, dropPath }: Pick<VisionFeaturesOptions, "backend" | "config" | "dropPath">,
  microBatch: number,
  tiles: readonly number[]
): ((block: number) => DropPath) | undefined => {
  if (dropPath === undefined || dropPath.rate === 0) return undefined
  const drawn = tiles.map((tile) => drawFactors(config, dropPath, `tile ${tile} of micro-batch ${microBatch}`))
  const factors = (block: number, branch: keyof DropPath) =>
    tensor(
      backend,
      drawn.map((blocks) => blocks[block]![branch]),
      [tiles.length]
    )
  return (block) => ({ attention: factors(block, "attention"), mlp: factors(block, "mlp") })
}

/** Tiles are seen one by one, so that what a tile becomes does not depend on its neighbours, nor on what is kept. */
export const makeVisionFeatures = (options: VisionFeaturesOptions): VisionFeatures => {
  const { backend, config, weights, budget, dropPath } = options
  const random = dropPath !== undefined && dropPath.rate > 0
  const kept = new Map<string, Float32Array>()
  const tokens = tokensPerTile(config)
  const floats = tokens * 4 * config.vision_config.hidden_size
  let bytes = 0

  const compute = async ({ pixelValues, tileSize }: MicroBatch, tile: number, index: number) => {
    const size = 3 * tileSize ** 2
    const features = noGrad(() =>
      scope(() => {
        const pixels = tensor(backend, pixelValues.subarray(tile * size, (tile + 1) * size), [1, 3, tileSize, tileSize])
        return visionFeatures(weights, config, pixels, drawDropPath(options, index, [tile]))
      })
    )
    const values = (await features.read()) as Float32Array
    features.release()
    return values
  }

  const featuresOf = async (batch: MicroBatch, index: number, tile: number): Promise<Float32Array> => {
    if (random) return compute(batch, tile, index)
    const key = batch.tileKeys[tile]!
    const known = kept.get(key)
    if (known !== undefined) return known
    const values = await compute(batch, tile, index)
    if (bytes + values.byteLength <= budget) {
      kept.set(key, values)
      bytes += values.byteLength
    }
    return values
  }

  return {
    bytes: () => bytes,
    of: async (batch, index) => {
      const count = batch.tileKeys.length
      if (count === 0) return undefined
      const joined = new Float32Array(count * floats)
      for (let tile = 0; tile < count; tile++) joined.set(await featuresOf(batch, index, tile), tile * floats)
      return tensor(backend, joined, [count, tokens, floats / tokens])
    }
  }
}
