/** Numbers and bounds that the definitions of the fake quantizations share. */

/** Least range or scale of a group: one of constant weights has none. */
export const smallestScale = Math.fround(1e-5)

/** Least scale that SPEED-Q's routine divides by. */
export const smallestDivisor = Math.fround(1e-9)

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)

/**
 * Ends of the weights that the gradient passes through: -scale zero and scale (levels - zero), each operation rounded by
 * `round`; levels is 2^b - 1.
 */
export const passingRange = (
  scale: number,
  zero: number,
  levels: number,
  round: (value: number) => number
): readonly [low: number, high: number] => [round(-round(scale * zero)), round(scale * round(levels - zero))]
