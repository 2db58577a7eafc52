/** Axes: from numbers to pixels, with round tick marks. */

export interface Scale {
  readonly at: (value: number) => number
  readonly ticks: ReadonlyArray<number>
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
const roundStep = (step: number): number => {
  const power = 10 ** Math.floor(Math.log10(step))
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= step * 0.999) ?? 10
  return factor * power
}

/** Whether a number can be drawn: NaN, infinities and what would overflow on the way to pixels cannot. */
export const isDrawable = (value: number): boolean => Math.abs(value) < 1e100

// Narrower ranges than this part of their numbers cannot be told apart by an axis.
const finest = 1e-9

/** A linear axis over [low, high], drawn from pixel `from` to pixel `to`. */
const linearScale = (low: number, high: number, from: number, to: number, count = 5): Scale => {
  const size = Math.max(Math.abs(low), Math.abs(high))
  const width = size < 1e-100 ? 1 : Math.max(high - low, size * finest)
  const step = roundStep(width / count)
  const first = Math.floor(low / step) * step
  const last = Math.max(Math.ceil(high / step), Math.floor(low / step) + 1) * step
  const ticks = Array.from({ length: Math.round((last - first) / step) + 1 }, (_, index) => {
    const value = first + index * step
    // Sums of steps such as 0.1 are cleaned of their last bits.
    return Number(value.toPrecision(12))
  })
  return { at: (value) => from + ((value - first) / (last - first)) * (to - from), ticks }
}

/** The same without room at its ends: it begins at `low` and ends at `high`, with the round numbers between them. */
export const tightScale = (low: number, high: number, from: number, to: number): Scale => {
  const { ticks } = linearScale(low, high, from, to)
  const within = ticks.filter((tick) => tick >= low && tick <= high)
  if (!(high > low) || within.length < 2) return linearScale(low, high, from, to)
  return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: within }
}

/** A logarithmic axis over positive numbers, in whole powers of ten. */
const logScale = (low: number, high: number, from: number, to: number): Scale => {
  const first = Math.floor(Math.log10(low))
  const last = Math.max(Math.ceil(Math.log10(high)), first + 1)
  const every = Math.ceil((last - first) / 8)
  const ticks = Array.from(
    { length: Math.floor((last - first) / every) + 1 },
    (_, index) => 10 ** (first + index * every)
  )
  const at = (value: number) =>
    from + ((Math.log10(Math.max(value, 10 ** first)) - first) / (last - first)) * (to - from)
  return { at, ticks }
}

/** An axis over `values`; logarithmic ones ignore what is not positive. Without any value it is [0, 1]. */
export const scaleFor = (
  values: ReadonlyArray<number>,
  logarithmic: boolean,
  from: number,
  to: number,
  includeZero = false
): Scale => {
  const usable = values.filter((value) => isDrawable(value) && (!logarithmic || value > 1e-100))
  if (usable.length === 0) return linearScale(0, 1, from, to)
  const low = usable.reduce((a, b) => Math.min(a, b), includeZero && !logarithmic ? 0 : Number.POSITIVE_INFINITY)
  const high = usable.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return logarithmic ? logScale(low, high, from, to) : linearScale(low, high, from, to)
}
