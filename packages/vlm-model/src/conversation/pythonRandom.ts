/**
 * Python's `random` module as far as drawing samples goes: MT19937 (Matsumoto and Nishimura 1998), seeded as
 * `random.seed(n)` does. The reference draws its training samples with it, so their choice and order depend on it.
 */

const size = 624
const middle = 397

export class PythonRandom {
  private readonly state = new Uint32Array(size)
  private index = size

  /** The generator after `random.seed(seed)`, for a whole number from 0 to 2^53 - 1. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`a seed is an integer from 0 on, not ${seed}`)
    const high = Math.floor(seed / 2 ** 32)
    this.seedByArray(high === 0 ? [seed] : [seed % 2 ** 32, high])
  }

  /** A whole number in [0, 2^32). */
  nextUint32(): number {
    if (this.index === size) this.refill()
    let y = this.state[this.index++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  /** `random.randrange(limit)`, for a limit up to 2^32 - 1. */
  below(limit: number): number {
    const bits = 32 - Math.clz32(limit)
    for (;;) {
      const value = this.nextUint32() >>> (32 - bits)
      if (value < limit) return value
    }
  }

  /** The positions that `random.sample(population, count)` takes from a population of `length`, in its order. */
  sample(length: number, count: number): Uint32Array {
    if (!(count >= 0 && count <= length)) throw new RangeError(`cannot sample ${count} of ${length}`)
    const result = new Uint32Array(count)
    // Python takes the pool when it is smaller than a set of this size would be.
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0)
    if (length <= setSize) {
      const pool = Uint32Array.from({ length }, (_, i) => i)
      for (let i = 0; i < count; i++) {
        const j = this.below(length - i)
        result[i] = pool[j]!
        pool[j] = pool[length - i - 1]!
      }
      return result
    }
    const taken = new Set<number>()
    for (let i = 0; i < count; i++) {
      let j = this.below(length)
      while (taken.has(j)) j = this.below(length)
      taken.add(j)
      result[i] = j
    }
    return result
  }

  private seedByArray(key: ReadonlyArray<number>): void {
    const state = this.state
    state[0] = 19650218
    for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, this.mixed(i - 1)) + i
    let i = 1
    const next = () => {
      if (++i < size) return
      state[0] = state[size - 1]!
      i = 1
    }
    for (let k = 0; k < size; k++) {
      const j = k % key.length
      state[i] = (state[i]! ^ Math.imul(this.mixed(i - 1), 1664525)) + key[j]! + j
      next()
    }
    for (let k = 0; k < size - 1; k++) {
      state[i] = (state[i]! ^ Math.imul(this.mixed(i - 1), 1566083941)) - i
      next()
    }
    state[0] = 0x80000000
  }

  private mixed(i: number): number {
    return this.state[i]! ^ (this.state[i]! >>> 30)
  }

  private refill(): void {
    const state = this.state
    for (let i = 0; i < size; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff)
      state[i] = state[(i + middle) % size]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.index = 0
  }
}
