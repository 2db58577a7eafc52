/**
 * Inputs and targets of the block being rounded, over the calibration tiles. The next block's are made from these by one
 * advance of each, never from the pixels again; a continued run makes them anew from the pixels, with the same bits.
 */
import { type ActivationCache, type BlockSamples, fisherImportance, makeActivationCache } from "@speedq/adaround"
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"

interface BlockCachesOptions {
  readonly backend: Backend
  /** [tokens, C] of one tile's activations. */
  readonly shape: readonly [number, number]
  readonly count: number
  /** Bytes of all caches in memory; the rest is in files of `directory`. */
  readonly memoryBudget: number
  readonly directory: string
  /** "asymmetric": inputs come from the quantized blocks before; else from the full-precision ones. */
  readonly inputs: "asymmetric" | "full-precision"
  /** Whether errors are weighted, by what `weigh` stores. */
  readonly weighted: boolean
}

/** A block of the network, [B, tokens, C] -> [B, tokens, C]. */
export type BlockFunction = (x: Tensor) => Tensor

export interface BlockCaches extends BlockSamples {
  /** One tile's input of block 0, its embeddings, and target, the block's full-precision output. */
  readonly start: (tile: number, embeddings: () => Tensor, first: BlockFunction) => Promise<void>
  /** One tile from block k to k + 1: through the rounded block k, and through the full-precision block k + 1. */
  readonly advance: (tile: number, rounded: BlockFunction, next: BlockFunction) => Promise<void>
  /** Stores how much one tile's errors count, by the gradient [tokens, C] of the task's loss at its target [1, tokens, C]. */
  readonly weigh: (tile: number, gradientAt: (target: Tensor) => Promise<Float32Array>) => Promise<void>
  readonly dispose: () => void
}

export const makeBlockCaches = (options: BlockCachesOptions): BlockCaches => {
  const { backend, shape, count, memoryBudget, directory, inputs: kind, weighted } = options
  const sampleSize = shape[0] * shape[1]
  const budget = memoryBudget / (weighted ? 3 : 2)
  const make = (name: string): ActivationCache =>
    makeActivationCache({ count, sampleSize, memoryBudget: budget, spillFile: `${directory}/${name}.cache` })
  const inputs = make("inputs")
  const targets = make("targets")
  const importance = weighted ? make("importance") : undefined
  const row = new Float32Array(sampleSize)

  const load = (cache: ActivationCache, tile: number): Tensor => {
    cache.read(tile, row)
    return tensor(backend, row, [1, ...shape])
  }
  /** Stores f(x) of one tile. */
  const put = async (cache: ActivationCache, tile: number, compute: () => Tensor): Promise<void> => {
    const result = noGrad(() => scope(compute))
    cache.write(tile, (await result.read()) as Float32Array)
    result.release()
  }
  const gather = (cache: ActivationCache, tiles: ArrayLike<number>): Tensor => {
    const joined = new Float32Array(tiles.length * sampleSize)
    for (let i = 0; i < tiles.length; i++) {
      cache.read(tiles[i]!, joined.subarray(i * sampleSize, (i + 1) * sampleSize))
    }
    return tensor(backend, joined, [tiles.length, ...shape])
  }
  return {
    count,
    start: async (tile, embeddings, first) => {
      await put(inputs, tile, embeddings)
      await put(targets, tile, () => first(load(inputs, tile)))
    },
    advance: async (tile, rounded, next) => {
      if (kind === "asymmetric") await put(inputs, tile, () => rounded(load(inputs, tile)))
      else {
        targets.read(tile, row)
        inputs.write(tile, row)
      }
      await put(targets, tile, () => next(load(targets, tile)))
    },
    weigh: async (tile, gradientAt) => {
      const target = load(targets, tile)
      try {
        importance?.write(tile, fisherImportance(await gradientAt(target)))
      } finally {
        target.release()
      }
    },
    batch: (tiles) => ({
      inputs: gather(inputs, tiles),
      targets: gather(targets, tiles),
      importance: importance && gather(importance, tiles)
    }),
    dispose: () => {
      for (const cache of [inputs, targets, importance]) cache?.dispose()
    }
  }
}
