/** How far numbers are from the expected ones, and whether that is near enough. */

export interface Tolerance {
  readonly relative: number
  readonly absolute: number
}

/** Outcome of one comparison; `error` is in units of the tolerance: 1 is just near enough. */
export interface Comparison {
  readonly what: string
  readonly error: number
  /** Largest absolute difference. */
  readonly difference: number
  readonly ok: boolean
}

/** Every number within absolute + relative |expected|; equal infinities and NaN with NaN count as equal. */
export const compare = (
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, absolute }: Tolerance
): Comparison => {
  if (actual.length !== expected.length) {
    return {
      what: `${what}: ${actual.length} numbers for ${expected.length}`,
      error: Infinity,
      difference: Infinity,
      ok: false
    }
  }
  let error = 0
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (Object.is(a, e) || a === e) continue
    const distance = Math.abs(a - e)
    const bound = absolute + relative * Math.abs(e)
    if (Number.isNaN(distance)) return { what, error: Infinity, difference: Infinity, ok: false }
    difference = Math.max(difference, distance)
    error = Math.max(error, distance / bound)
  }
  return { what, error, difference, ok: error <= 1 }
}

/** All numbers equal, bit for bit. */
export const compareExactly = (what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Comparison =>
  compare(what, actual, expected, { relative: 0, absolute: Number.MIN_VALUE })

/** How many of `size` may be off where a share of them must be near: one always, as fewer than 100 have no 1 %. */
export const strays = (size: number, share: number): number => Math.max(size > 1 ? 1 : 0, (1 - share) * size)

/** All numbers together: the norm of the difference against that of what is expected. */
export const compareNorm = (
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number
): Comparison => {
  const norm = (of: (i: number) => number) =>
    Math.sqrt(Array.from(expected, (_, i) => of(i) ** 2).reduce((a, b) => a + b, 0))
  const difference = norm((i) => actual[i]! - expected[i]!)
  const error = difference === 0 ? 0 : difference / (relative * norm((i) => expected[i]!))
  return { what, error, difference, ok: actual.length === expected.length && error <= 1 }
}

/** At least `share` of the numbers, or all but one, within the tolerance. */
export const compareShare = (
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  share: number
): Comparison => {
  let near = 0
  let difference = 0
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!)
    difference = Math.max(difference, distance)
    if (distance <= tolerance.absolute + tolerance.relative * Math.abs(expected[i]!)) near++
  }
  const missed = expected.length - near
  const allowed = strays(expected.length, share)
  return {
    what: `${what} (${((100 * near) / expected.length).toFixed(2)} % near)`,
    error: missed / (allowed || 1),
    difference,
    ok: actual.length === expected.length && missed <= allowed
  }
}
