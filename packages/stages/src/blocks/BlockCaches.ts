/**
 * Inputs and targets of the block being fitted, over the calibration samples. The next block's are made from these by one
 * advance of each, never from the samples again; a continued run makes them anew from the samples, with the same bits.
 */
import { type ActivationCache, type BlockSamples, fisherImportance, makeActivationCache } from "@speedq/adaround"
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import type { FirstInputs } from "./BlockTower.ts"

interface BlockCachesOptions {
  readonly backend: Backend
  readonly count: number
  /** C */
  readonly width: number
  /** Bytes of all caches in memory; the rest is in files of `directory`. */
  readonly memoryBudget: number
  readonly directory: string
  /** "asymmetric": inputs come from the quantized blocks before; else from the full-precision ones. */
  readonly inputs: "asymmetric" | "full-precision"
  /** Whether errors are weighted, by what `weigh` stores. */
  readonly weighted: boolean
}

/** A block of the network, [B, T, C] -> [B, T, C]. */
export type BlockFunction = (x: Tensor) => Tensor

export interface BlockCaches extends BlockSamples {
  /** One sample's input of block 0, and its target, the block's full-precision output. */
  readonly start: (sample: number, inputs: FirstInputs, first: BlockFunction) => Promise<void>
  /** One sample from block k to k + 1: through the quantized block k, and through the full-precision block k + 1. */
  readonly advance: (sample: number, quantized: BlockFunction, next: BlockFunction) => Promise<void>
  /** Stores how much one sample's errors count, by the gradient [T, C] of the task's loss at its target [1, T, C]. */
  readonly weigh: (sample: number, gradientAt: (target: Tensor) => Promise<Float32Array>) => Promise<void>
  /** Tokens of some samples together. */
  readonly tokensOf: (samples: readonly number[]) => number
  readonly dispose: () => void
}

export const makeBlockCaches = (options: BlockCachesOptions): BlockCaches => {
  const { backend, count, width, memoryBudget, directory, inputs: kind, weighted } = options
  const budget = memoryBudget / (weighted ? 3 : 2)
  const make = (name: string): ActivationCache =>
    makeActivationCache({ count, memoryBudget: budget, spillFile: `${directory}/${name}.cache` })
  const inputs = make("inputs")
  const targets = make("targets")
  const importance = weighted ? make("importance") : undefined

  const read = (cache: ActivationCache, sample: number): Float32Array => {
    const values = new Float32Array(cache.sizeOf(sample))
    cache.read(sample, values)
    return values
  }
  const load = (cache: ActivationCache, sample: number): Tensor => {
    const values = read(cache, sample)
    return tensor(backend, values, [1, values.length / width, width])
  }
  const write = async (cache: ActivationCache, sample: number, values: Tensor): Promise<void> =>
    cache.write(sample, (await values.read()) as Float32Array)
  /** Stores f(x) of one sample. */
  const put = async (cache: ActivationCache, sample: number, compute: () => Tensor): Promise<void> => {
    const result = noGrad(() => scope(compute))
    await write(cache, sample, result)
    result.release()
  }

  /** Samples of a cache as [B, T, C], the shorter ones filled up with zeros at their ends. */
  const filledUp = (cache: ActivationCache, samples: readonly number[], length: number): Tensor => {
    const joined = new Float32Array(samples.length * length * width)
    for (const [at, sample] of samples.entries()) {
      const from = at * length * width
      cache.read(sample, joined.subarray(from, from + cache.sizeOf(sample)))
    }
    return tensor(backend, joined, [samples.length, length, width])
  }
  /** Tokens of samples one after another, [R, C]. */
  const together = (cache: ActivationCache, samples: readonly number[], tokens: number): Tensor => {
    const joined = new Float32Array(tokens * width)
    let from = 0
    for (const sample of samples) {
      const size = cache.sizeOf(sample)
      cache.read(sample, joined.subarray(from, from + size))
      from += size
    }
    return tensor(backend, joined, [tokens, width])
  }

  return {
    count,
    start: async (sample, { quantized, original }, first) => {
      await write(inputs, sample, kind === "asymmetric" ? quantized : original)
      await put(targets, sample, () => first(original))
    },
    advance: async (sample, quantized, next) => {
      if (kind === "asymmetric") await put(inputs, sample, () => quantized(load(inputs, sample)))
      else inputs.write(sample, read(targets, sample))
      await put(targets, sample, () => next(load(targets, sample)))
    },
    weigh: async (sample, gradientAt) => {
      const target = load(targets, sample)
      try {
        importance?.write(sample, fisherImportance(await gradientAt(target)))
      } finally {
        target.release()
      }
    },
    batch: (chosen) => {
      const samples = Array.from(chosen)
      const lengths = samples.map((sample) => inputs.sizeOf(sample) / width)
      const length = Math.max(...lengths)
      const filled = { inputs: filledUp(inputs, samples, length) }
      if (lengths.every((own) => own === length)) {
        return {
          ...filled,
          targets: filledUp(targets, samples, length),
          importance: importance && filledUp(importance, samples, length)
        }
      }
      const rows = lengths.flatMap((own, at) => Array.from({ length: own }, (_, token) => at * length + token))
      return {
        ...filled,
        targets: together(targets, samples, rows.length),
        importance: importance && together(importance, samples, rows.length),
        rows: tensor(backend, Int32Array.from(rows), [rows.length], "i32")
      }
    },
    tokensOf: (samples) => samples.reduce((sum, sample) => sum + inputs.sizeOf(sample) / width, 0),
    dispose: () => {
      for (const cache of [inputs, targets, importance]) cache?.dispose()
    }
  }
}
