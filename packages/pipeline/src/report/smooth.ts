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
/** A curve is noisy if it jumps by more than this part of its height from one value to the next, */
const noise = 0.02
/** and goes up and down by more than this many times its height: a schedule rises and falls once. */
const schedule = 3

/** Values as the axis shows them. */
const shown = (y: number, logarithmic: boolean): number => (logarithmic ? Math.log(y) : y)

const isNoisy = (points: Points, logarithmic: boolean): boolean => {
  let jumps = 0
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let before: number | undefined
  for (const point of points) {
    const y = shown(point[1], logarithmic)
    jumps += Math.abs(y - (before ?? y))
    low = Math.min(low, y)
    high = Math.max(high, y)
    before = y
  }
  return jumps > (high - low) * Math.max(noise * points.length, schedule)
}

/**
 * The mean of a thirtieth of the curve around each point, as many values on its left as on its right; the points themselves where they
 * are few or make a smooth curve already. On a logarithmic axis it is the geometric mean; all values must be positive there.
 */
export const smooth = (points: Points, logarithmic: boolean): Points => {
  if (points.length < fewest || !isNoisy(points, logarithmic)) return points
  const radius = Math.max(2, Math.round(points.length / 60))
  const sums = new Float64Array(points.length + 1)
  for (const [index, [, y]] of points.entries()) sums[index + 1] = sums[index]! + shown(y, logarithmic)
  return points.map(([x], index) => {
    const reach = Math.min(radius, index, points.length - 1 - index)
    const mean = (sums[index + reach + 1]! - sums[index - reach]!) / (2 * reach + 1)
    return [x, logarithmic ? Math.exp(mean) : mean]
  })
}
