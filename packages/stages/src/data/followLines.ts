/** Where the lines of an annotation file are after some were dropped or repaired. */

/** A line that is gone. */
export const gone = -1

interface Following {
  /** Lines that were in the file, and are now. */
  readonly before: number
  readonly after: number
  /** Numbers of the lines that are looked for, ascending, as they were. */
  readonly lines: Uint32Array
  /** Whether the line that was the n-th of those is what is now in a place. */
  readonly isAt: (n: number, place: number) => boolean
}

/**
 * The place that each line has now, or `gone`. Lines keep their order and none was added, so one that is unchanged moved up by no more
 * than is missing. Of those that are not found, one between two neighbours that moved equally far was changed in its place;
 * any other is gone. Undefined where lines were added.
 */
export const followLines = ({ before, after, lines, isAt }: Following): Int32Array | undefined => {
  const missing = before - after
  if (missing < 0) return undefined
  const places = new Int32Array(lines.length).fill(gone)
  let [next, shift] = [0, 0]
  for (const [n, line] of lines.entries()) {
    // As far up as the line before it, or farther where more was dropped between the two.
    for (let place = Math.min(line - shift, after - 1); place >= Math.max(next, line - missing); place--) {
      if (!isAt(n, place)) continue
      places[n] = place
      shift = line - place
      next = place + 1
      break
    }
  }
  return withRepaired(lines, places, missing)
}

/** Adds the places of lines that were changed in their place. `missing` lines are gone before the end of the file. */
const withRepaired = (lines: Uint32Array, places: Int32Array, missing: number): Int32Array => {
  const all = Int32Array.from(places)
  let before = 0
  for (let n = 0; n < lines.length; n++) {
    if (places[n] !== gone) {
      before = lines[n]! - places[n]!
      continue
    }
    let end = n
    while (end < lines.length && places[end] === gone) end++
    const after = end < lines.length ? lines[end]! - places[end]! : missing
    if (after === before) for (let at = n; at < end; at++) all[at] = lines[at]! - before
    n = end - 1
  }
  return all
}
