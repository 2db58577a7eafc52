/** How sure a share of right answers is, and the difference of two: 95 % intervals that also hold for few rows and near 0 and 100 %. */

/** A share and the ends of its 95 % interval, all from 0 to 1; of a difference, from -1 to 1. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** The 97.5 % quantile of the normal distribution. */
const z = 1.959963984540054

/** Wilson's score interval of `hits` among `rows`, which must not be 0. */
export const wilson = (hits: number, rows: number): Interval => {
  const value = hits / rows
  const square = z ** 2 / rows
  const middle = (value + square / 2) / (1 + square)
  const reach = (z * Math.sqrt((value * (1 - value)) / rows + square / (4 * rows))) / (1 + square)
  return { value, low: Math.max(0, middle - reach), high: Math.min(1, middle + reach) }
}

/** Rows that both answered, by who was right. */
export interface Paired {
  readonly both: number
  readonly onlyFirst: number
  readonly onlySecond: number
  readonly neither: number
}

/**
 * The second share less the first, of answers to the same rows: Newcombe's hybrid score interval for paired shares (Statistics in
 * Medicine 17, 2635, 1998, method 10), which knows that two models err on the same questions.
 */
export const pairedDifference = ({ both, onlyFirst, onlySecond, neither }: Paired): Interval => {
  const rows = both + onlyFirst + onlySecond + neither
  const product = (both + onlySecond) * (onlyFirst + neither) * (both + onlyFirst) * (onlySecond + neither)
  const agreement = both * neither - onlyFirst * onlySecond
  const corrected = agreement > 0 ? Math.max(0, agreement - rows / 2) : agreement
  const correlation = product === 0 ? 0 : corrected / Math.sqrt(product)
  return hybrid(wilson(both + onlySecond, rows), wilson(both + onlyFirst, rows), correlation)
}

/** The second share less the first, of answers to different rows (the same, method 10 for independent shares). */
export const differenceOf = (first: Interval, second: Interval): Interval => hybrid(second, first, 0)

const hybrid = (a: Interval, b: Interval, correlation: number): Interval => {
  const value = a.value - b.value
  const reach = (left: number, right: number) =>
    Math.sqrt(Math.max(0, left ** 2 - 2 * correlation * left * right + right ** 2))
  return {
    value,
    low: value - reach(a.value - a.low, b.high - b.value),
    high: value + reach(a.high - a.value, b.value - b.low)
  }
}
