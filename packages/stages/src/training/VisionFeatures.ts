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
import { type Keeping, notKept, uncounted } from "../features/keptFeatures.ts"

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

/** What a tile is called on disk: by its tower, and by the same digest in letters that every file system takes. */
const keptAs = async (key: string, { tower }: NonNullable<Keeping["place"]>) => ({
  tower: await tower(),
  tile: Buffer.from(key, "base64").toString("hex")
})

/**
 * Tiles that pass through the tower together. A processor is busy with one, and products of another height may have other bits there; a
 * GPU is not, and a tile has the same bits beside others (`linear`). So what a tile becomes does not depend on its neighbours.
 */
export const tilesTogether = ({ kind }: Pick<Backend, "kind">): number => (kind === "gpujs" ? 16 : 1)

/** Items in groups of at most `size`, in order. */
const grouped = <A>(items: readonly A[], size: number): readonly (readonly A[])[] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))

/**
 * What a tile becomes does not depend on its neighbours, nor on what is kept: features are rounded as they are kept on disk even where
 * they are not.
 */
export const makeVisionFeatures = (options: VisionFeaturesOptions): VisionFeatures => {
  const { backend, config, weights, budget, dropPath } = options
  const { numbers, place, tally = uncounted() } = options.keeping ?? notKept
  const random = dropPath !== undefined && dropPath.rate > 0
  const kept = new Map<string, Float32Array>()
  const tokens = tokensPerTile(config)
  const floats = tokens * 4 * config.vision_config.hidden_size
  let bytes = 0

  /** Pixels of some tiles of a micro-batch [tiles, 3, S, S]. */
  const pixelsOf = ({ pixelValues, tileSize }: MicroBatch, tiles: readonly number[]): Tensor => {
    const size = 3 * tileSize ** 2
    const joined = new Float32Array(tiles.length * size)
    for (const [at, tile] of tiles.entries())
      joined.set(pixelValues.subarray(tile * size, (tile + 1) * size), at * size)
    return tensor(backend, joined, [tiles.length, 3, tileSize, tileSize])
  }

  /** Features of some tiles, one after the other. */
  const compute = async (batch: MicroBatch, tiles: readonly number[], index: number): Promise<Float32Array> => {
    const features = noGrad(() =>
      scope(() => visionFeatures(weights, config, pixelsOf(batch, tiles), drawDropPath(options, index, tiles)))
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

  /** Features of each of some tiles, through the tower. */
  const seen = async (batch: MicroBatch, index: number, tiles: readonly number[]): Promise<readonly Float32Array[]> => {
    const each: Float32Array[] = []
    for (const group of grouped(tiles, tilesTogether(backend))) {
      const values = await timed("towerMilliseconds", () => compute(batch, group, index))
      for (const at of group.keys()) {
        const ofTile = values.slice(at * floats, (at + 1) * floats)
        each.push(random ? ofTile : asKept(numbers, ofTile))
      }
    }
    tally.computed += tiles.length
    return each
  }

  const onDisk = async (key: string): Promise<Float32Array | undefined> => {
    if (place === undefined) return undefined
    const at = await keptAs(key, place)
    const found = await timed("diskMilliseconds", () => Effect.runPromise(place.store.find(at, floats)))
    if (found !== undefined) tally.found++
    return found
  }

  const toDisk = async (key: string, values: Float32Array): Promise<void> => {
    if (place === undefined) return
    const at = await keptAs(key, place)
    await timed("diskMilliseconds", () => Effect.runPromise(place.store.keep(at, values)))
  }

  const remember = (key: string, values: Float32Array): void => {
    if (bytes + values.byteLength > budget) return
    kept.set(key, values)
    bytes += values.byteLength
  }

  /** Features that memory or the disk has. */
  const recalled = async (key: string): Promise<Float32Array | undefined> => {
    const remembered = kept.get(key)
    if (remembered !== undefined) {
      tally.remembered++
      return remembered
    }
    const found = await onDisk(key)
    if (found !== undefined) remember(key, found)
    return found
  }

  /** Features of every tile of a micro-batch: from memory, from the disk, and what neither has through the tower. */
  const featuresOf = async (batch: MicroBatch, index: number): Promise<readonly Float32Array[]> => {
    const { tileKeys } = batch
    if (random) return seen(batch, index, [...tileKeys.keys()])
    const unique = new Map(tileKeys.map((key, tile) => [key, tile]))
    tally.remembered += tileKeys.length - unique.size
    const found = new Map<string, Float32Array>()
    for (const key of unique.keys()) {
      const values = await recalled(key)
      if (values !== undefined) found.set(key, values)
    }
    const missing = [...unique].filter(([key]) => !found.has(key))
    const tiles = missing.map(([, tile]) => tile)
    const computed = await seen(batch, index, tiles)
    for (const [at, [key]] of missing.entries()) {
      const values = computed[at]!
      found.set(key, values)
      await toDisk(key, values)
      remember(key, values)
    }
    return tileKeys.map((key) => found.get(key)!)
  }

  return {
    bytes: () => bytes,
    of: async (batch, index) => {
      const count = batch.tileKeys.length
      if (count === 0) return undefined
      const joined = new Float32Array(count * floats)
      for (const [tile, values] of (await featuresOf(batch, index)).entries()) joined.set(values, tile * floats)
      return tensor(backend, joined, [count, tokens, floats / tokens])
    }
  }
}
