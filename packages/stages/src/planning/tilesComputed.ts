/** How many tiles pass a frozen tower. */
import type { DataExtent } from "./dataExtent.ts"

/**
 * Tiles that pass a frozen tower when `samples` are seen, one after the other: features of pictures that come again are kept as far as
 * there is room, and those that have none are computed every time. `each` is the tiles of a sample.
 */
export const tilesComputed = (
  { count, distinct }: Pick<DataExtent, "count" | "distinct">,
  each: number,
  samples: number,
  room: number
): number => {
  const seen = samples * each
  // Of the samples of an epoch each is seen once; a picture that several samples show is new with the first of them.
  const met = Math.min(1, samples / count)
  const different = distinct * count * (1 - (1 - met) ** (1 / distinct)) * each
  const kept = Math.min(1, room / Math.max(1, different))
  return different + Math.max(0, seen - different) * (1 - kept)
}
