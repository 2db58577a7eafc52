/** Features of a frozen vision tower: computed once a tile, kept on the host up to a budget, and on disk where a recipe wants it. */
import { type Backend, noGrad, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  blocksUsed,
  type DropPath,
  type ModelConfig,
  tokensPerTile,
  visionFeatures,
  type Weights
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { asKept } from "../features/featureRecord.ts"
import { type Keeping, notKept, type SeenTally } from "../features/keptFeatures.ts"

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
  /** How they are rounded, and kept on disk. In f32 and not at all where it is left out. */
  readonly keeping?: Keeping
  /** With it, features are drawn anew every time, and neither rounded nor kept. */
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

/** What nobody asks for. */
const uncounted = (): SeenTally => ({
  found: 0,
  remembered: 0,
  computed: 0,
  towerMilliseconds: 0,
  diskMilliseconds: 0
})

/** The name of a tile on disk: the same digest in letters that every file system takes. */
const tileName = (key: string): string => Buffer.from(key, "base64").toString("hex")

/**
 * Tiles are seen one by one, so that what a tile becomes does not depend on its neighbours, nor on what is kept: features are rounded
 * as they are kept on disk even where they are not.
 */
export const makeVisionFeatures = (options: VisionFeaturesOptions): VisionFeatures => {
  const { backend, config, weights, budget, dropPath } = options
  const { numbers, place, tally = uncounted() } = options.keeping ?? notKept
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

  /** The result of work, whose time is counted. */
  const timed = async <A>(of: "towerMilliseconds" | "diskMilliseconds", work: () => Promise<A>): Promise<A> => {
    const begun = performance.now()
    const result = await work()
    tally[of] += performance.now() - begun
    return result
  }

  const seen = async (batch: MicroBatch, index: number, tile: number): Promise<Float32Array> => {
    const values = await timed("towerMilliseconds", () => compute(batch, tile, index))
    tally.computed++
    return random ? values : asKept(numbers, values)
  }

  /** From the disk, or else through the tower and onto the disk. */
  const foundOrSeen = async (batch: MicroBatch, index: number, tile: number): Promise<Float32Array> => {
    if (place === undefined) return seen(batch, index, tile)
    const { store, tower } = place
    const key = { tower: await tower(), tile: tileName(batch.tileKeys[tile]!) }
    const found = await timed("diskMilliseconds", () => Effect.runPromise(store.find(key, floats)))
    if (found !== undefined) {
      tally.found++
      return found
    }
    const values = await seen(batch, index, tile)
    await timed("diskMilliseconds", () => Effect.runPromise(store.keep(key, values)))
    return values
  }

  const featuresOf = async (batch: MicroBatch, index: number, tile: number): Promise<Float32Array> => {
    if (random) return seen(batch, index, tile)
    const key = batch.tileKeys[tile]!
    const known = kept.get(key)
    if (known !== undefined) {
      tally.remembered++
      return known
    }
    const values = await foundOrSeen(batch, index, tile)
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
