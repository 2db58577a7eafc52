/** What the cases share: flags, medians, random tensors, and a description of the machine. */
import { cpus } from "node:os"
import { type Backend, generate, Random, type Shape, type Tensor, toBfloat16, viewAs } from "@speedq/tensors"

/** `--name value` and `--name`. */
export class Flags {
  private readonly words: readonly string[]
  constructor(words: readonly string[]) {
    this.words = words
  }

  has(name: string): boolean {
    return this.words.includes(`--${name}`)
  }

  text(name: string): string | undefined {
    const at = this.words.indexOf(`--${name}`)
    return at < 0 ? undefined : this.words[at + 1]
  }

  number(name: string, otherwise: number): number {
    const value = this.has(name) ? Number(this.text(name)) : otherwise
    if (!Number.isFinite(value)) throw new Error(`--${name} needs a number`)
    return value
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Milliseconds of one call. */
export const timed = (body: () => void): number => {
  const start = performance.now()
  body()
  return performance.now() - start
}

/** Median milliseconds of each contestant, in turns so that a busy machine is unfair to none; the first rounds do not count. */
export const alternate = async (
  contestants: readonly (() => number | Promise<number>)[],
  rounds: number,
  warmUp = 2
): Promise<readonly number[]> => {
  const samples = contestants.map((): number[] => [])
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const [index, run] of contestants.entries()) {
      const ms = await run()
      if (round >= warmUp) samples[index]!.push(ms)
    }
  }
  return samples.map(median)
}

const sustainedMs = 40

/**
 * Milliseconds of one run among runs in a row, as in a training step: the median of the later half. The first ones wake threads and find
 * the caches full of other numbers.
 */
export const sustained = (once: () => number): number => {
  const samples: number[] = []
  for (let total = 0; total < sustainedMs || samples.length < 2; total += samples.at(-1)!) samples.push(once())
  return median(samples.slice(Math.floor(samples.length / 2)))
}

/** A tensor of normal numbers. */
export const normal = (backend: Backend, shape: Shape, spread = 1, seed = 1, dtype: "f32" | "bf16" = "f32"): Tensor => {
  const random = Random.make(seed, shape.join("x"))
  // A thousand different numbers, over and over: drawing them is not what is measured.
  const some = Array.from({ length: 1021 }, () => spread * random.nextNormal())
  const stored = dtype === "f32" ? Float32Array.from(some) : Uint16Array.from(some, toBfloat16)
  return generate(backend, { shape, dtype }, (bytes) => {
    const values = viewAs(dtype, bytes)
    for (let i = 0; i < values.length; i++) values[i] = stored[i % stored.length]!
  })
}

export const machine = () => {
  const all = cpus()
  return { processor: all[0]?.model.trim() ?? "unknown", cores: all.length, node: process.version }
}
