/** A stream of random numbers that the caller owns, seeds and saves. */
export interface RandomSource {
  /** A whole number in [0, 2^32). */
  readonly nextUint32: () => number
}

/** A whole number in [0, limit) without bias, for a limit up to 2^32. */
export const uniformBelow = (random: RandomSource, limit: number): number => {
  const threshold = 2 ** 32 - (2 ** 32 % limit)
  for (;;) {
    const value = random.nextUint32()
    if (value < threshold) return value % limit
  }
}

/** A whole number from `low` to `high`, both included. */
export const uniformBetween = (random: RandomSource, low: number, high: number): number =>
  low + uniformBelow(random, high - low + 1)
