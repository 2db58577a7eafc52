/** Which frames of a video are shown to the model. */
import { type RandomSource, uniformBelow } from "../model/RandomSource.ts"

/** `rand` takes a random frame of each interval, `middle` the one in its middle. */
export type FrameSampling = "rand" | "middle"

/**
 * Indices of `count` frames out of `available`, ascending: one of each of n = min(count, available) equal intervals;
 * when there are fewer than `count`, the last one repeats. As in the reference, `rand` never takes the last frame of
 * an interval, and an interval of a single frame makes it take n random frames of the whole video instead.
 */
export const sampleFrames = (
  available: number,
  count: number,
  sampling: FrameSampling,
  random: RandomSource
): ReadonlyArray<number> => {
  const n = Math.min(count, available)
  if (n < 1) throw new RangeError(`cannot take ${count} of ${available} frames`)
  // numpy's linspace: multiples of one rounded step, the end exact.
  const step = available / n
  const bounds = Array.from({ length: n + 1 }, (_, i) => (i === n ? available : Math.trunc(i * step)))
  const intervals = bounds.slice(1).map((end, i) => [bounds[i]!, end] as const)
  const indices =
    sampling === "middle"
      ? intervals.map(([start, end]) => Math.floor((start + end - 1) / 2))
      : intervals.some(([start, end]) => end - start < 2)
        ? sampleWithoutReplacement(available, n, random)
        : intervals.map(([start, end]) => start + uniformBelow(random, end - start - 1))
  return [...indices, ...Array.from({ length: count - n }, () => indices[n - 1]!)]
}

/** The first n of a random permutation, sorted. */
const sampleWithoutReplacement = (available: number, n: number, random: RandomSource): ReadonlyArray<number> => {
  const order = Array.from({ length: available }, (_, i) => i)
  for (let i = 0; i < n; i++) {
    const j = i + uniformBelow(random, available - i)
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  return order.slice(0, n).sort((a, b) => a - b)
}

/** The frames between two times in seconds: the first index and how many. */
export const clipFrames = (
  clip: readonly [start: number, end: number],
  framesPerSecond: number
): { readonly first: number; readonly count: number } => ({
  first: Math.trunc(clip[0] * framesPerSecond),
  count: Math.trunc((clip[1] - clip[0]) * framesPerSecond)
})
