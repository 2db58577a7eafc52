/**
 * AWQ (arXiv:2306.00978): columns of a weight that meet large inputs are enlarged before they are rounded, and their inputs made smaller by
 * as much, so that rounding them costs less where it matters most.
 *
 *   s = m^alpha / sqrt(max m^alpha min m^alpha),  m = mean |x| of each input column,  m^alpha at least 1e-4
 */

/** Steps of the search for alpha: 0, 1/20, .. 19/20. */
export const awqDefaults = { steps: 20, gridSize: 20, maxShrink: 0.5 } as const

/** Smallest power of a magnitude: a column without inputs must not get a scale of 0. */
const smallest = 1e-4

/** Scale of each column, from the mean magnitudes of its inputs. */
export const awqScales = (magnitudes: ArrayLike<number>, alpha: number): Float32Array => {
  const powers = Float64Array.from(magnitudes, (magnitude) => Math.max(magnitude ** alpha, smallest))
  const [largest, least] = [powers.reduce((a, b) => Math.max(a, b)), powers.reduce((a, b) => Math.min(a, b))]
  const middle = Math.sqrt(largest * least)
  return Float32Array.from(powers, (power) => power / middle)
}
