/** Seeded random choices: the same seed and case give the same input on every machine. */

export class Random {
  #state: number

  /** A stream of its own for each case of a seed. */
  constructor(seed: number, at = 0) {
    this.#state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(at + 1, 0xc2b2ae35)) >>> 0
    for (let warming = 0; warming < 4; warming++) this.uniform()
  }

  /** Uniform in [0, 1): mulberry32. */
  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor(this.uniform() * count)
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** One of some values. */
  of<A>(values: readonly A[]): A {
    return values[this.below(values.length)]!
  }
}
