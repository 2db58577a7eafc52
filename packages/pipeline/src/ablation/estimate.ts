/** A mean over seeds, how sure it is, and whether it differs from zero. */

/** The standard error is undefined for a single value. */
export interface Estimate {
  readonly mean: number
  readonly standardError: number | undefined
  readonly count: number
}

export const estimate = (values: readonly number[]): Estimate => {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  if (count < 2) return { mean, standardError: undefined, count }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { mean, standardError: Math.sqrt(variance / count), count }
}

// Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom.
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086
]

/** The same; undefined without any value. */
export const estimateOf = (values: readonly number[]): Estimate | undefined =>
  values.length === 0 ? undefined : estimate(values)

/** Half of the 95 % confidence interval: of few values, many standard errors. Undefined for a single value. */
export const confidence95 = ({ standardError, count }: Estimate): number | undefined =>
  standardError === undefined ? undefined : standardError * (quantiles[count - 2] ?? quantiles.at(-1)!)

/** Whether zero is outside of the 95 % confidence interval; a single value tells nothing. */
export const differsFromZero = (found: Estimate): boolean => {
  const half = confidence95(found)
  return half !== undefined && Math.abs(found.mean) > half
}
