/**
 * Seeded random numbers whose state can be saved: xoshiro128** (Blackman and Vigna 2018), four 32-bit words.
 * One seed and stream name give one sequence on every machine and backend.
 */

export interface RandomState {
  readonly words: readonly [number, number, number, number]
  /** The spare normal number of the polar method, if one is held. */
  readonly spare: number | null
}

/** splitmix32: spreads a seed over independent words. */
const splitmix = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
}

/** 32-bit FNV-1a of a text: turns stream names into seeds. */
const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

const rotateLeft = (value: number, count: number): number => (value << count) | (value >>> (32 - count))

export class Random {
  private a = 0
  private b = 0
  private c = 0
  private d = 0
  private spare: number | null = null

  private constructor(state: RandomState) {
    this.a = state.words[0] | 0
    this.b = state.words[1] | 0
    this.c = state.words[2] | 0
    this.d = state.words[3] | 0
    this.spare = state.spare
  }

  /** The sequence of `seed` under a stream name; different names give independent sequences. */
  static make(seed: number, stream = ""): Random {
    const low = splitmix(seed)
    const high = splitmix(Math.floor(seed / 2 ** 32) ^ hashText(stream))
    const mix = () => (low() ^ high()) >>> 0
    return new Random({ words: [mix(), mix(), mix(), mix() | 1], spare: null })
  }

  static restore(saved: RandomState): Random {
    return new Random(saved)
  }

  save(): RandomState {
    return { words: [this.a >>> 0, this.b >>> 0, this.c >>> 0, this.d >>> 0], spare: this.spare }
  }

  /** A whole number in [0, 2^32). */
  nextUint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.b, 5), 7), 9) >>> 0
    const shifted = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= shifted
    this.d = rotateLeft(this.d, 11)
    return result
  }

  /** Uniform in [0, 1) with 53 random bits. */
  nextUniform(): number {
    return ((this.nextUint32() >>> 5) * 67108864 + (this.nextUint32() >>> 6)) / 9007199254740992
  }

  /** A whole number in [0, limit), without bias. */
  nextInteger(limit: number): number {
    const threshold = 0x100000000 - (0x100000000 % limit)
    for (;;) {
      const value = this.nextUint32()
      if (value < threshold) return value % limit
    }
  }

  /** Standard normal, by Marsaglia's polar method. */
  nextNormal(): number {
    if (this.spare !== null) {
      const value = this.spare
      this.spare = null
      return value
    }
    for (;;) {
      const u = 2 * this.nextUniform() - 1
      const v = 2 * this.nextUniform() - 1
      const s = u * u + v * v
      if (s >= 1 || s === 0) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      this.spare = v * factor
      return u * factor
    }
  }

  /** A random permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, index) => index)
    for (let i = n - 1; i > 0; i--) {
      const j = this.nextInteger(i + 1)
      const swapped = order[i]!
      order[i] = order[j]!
      order[j] = swapped
    }
    return order
  }
}
