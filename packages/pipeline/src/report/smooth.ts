/** Curves made readable: a moving mean, and fewer points. */

export type Points = ReadonlyArray<readonly [x: number, y: number]>

/** More points than this are thinned. */
const mostPoints = 600

/** At most `mostPoints` points: the lowest and the highest of each stretch, so that no spike is lost. */
export const thin = (points: Points): Points => {
  if (points.length <= mostPoints) return points
  const stretch = (points.length * 2) / mostPoints
  return Array.from({ length: mostPoints / 2 }, (_, index) => {
    const part = points.slice(Math.floor(index * stretch), Math.floor((index + 1) * stretch))
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a))
    const high = part.reduce((a, b) => (b[1] > a[1] ? b : a))
    return low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]
  }).flat()
}

/** Fewer values than these are all looked at. */
const fewest = 40
/** A curve that goes up and down by this many times its height is noisy; a schedule that rises and falls once is not. */
const noisy = 4

const isNoisy = (points: Points): boolean => {
  let way = 0
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const [index, [, y]] of points.entries()) {
    way += Math.abs(y - (points[index - 1]?.[1] ?? y))
    low = Math.min(low, y)
    high = Math.max(high, y)
  }
  return way > noisy * (high - low)
}

/**
 * The mean of a thirtieth of the curve around each point, as many values on its left as on its right; the points themselves where they
 * are few or make a smooth curve already.
 */
export const smooth = (points: Points): Points => {
  if (points.length < fewest || !isNoisy(points)) return points
  const radius = Math.max(2, Math.round(points.length / 60))
  const sums = new Float64Array(points.length + 1)
  for (const [index, [, y]] of points.entries()) sums[index + 1] = sums[index]! + y
  return points.map(([x], index) => {
    const reach = Math.min(radius, index, points.length - 1 - index)
    return [x, (sums[index + reach + 1]! - sums[index - reach]!) / (2 * reach + 1)]
  })
}
