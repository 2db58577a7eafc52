/** Finds the known names closest to a mistyped one, for error messages. */

/** Number of insertions, deletions and replacements of a letter and of swaps of two neighbours between two texts. */
const editDistance = (a: string, b: string): number => {
  let [beforePrevious, previous]: number[][] = [[], Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous![column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = isSwap ? beforePrevious![column - 2]! + 1 : replaced
      current.push(Math.min(replaced, swapped, previous![column]! + 1, current[column - 1]! + 1))
    }
    ;[beforePrevious, previous] = [previous, current]
  }
  return previous![b.length]!
}

/**
 * Up to `count` of `known`, nearest to `name` first; a name that contains the other counts as near. `differing` is the largest share
 * of letters that differ.
 */
export const nearest = (
  name: string,
  known: ReadonlyArray<string>,
  count = 3,
  differing = 0.6
): ReadonlyArray<string> => {
  const wanted = name.toLowerCase()
  const distanceTo = (text: string): number => {
    if (text.includes(wanted) || wanted.includes(text)) return 1
    const most = Math.max(wanted.length, text.length)
    // At least so many letters are put in: for a name of thousands the distance itself is not worth its time.
    const put = most - Math.min(wanted.length, text.length)
    return ((put > most * differing ? put : editDistance(wanted, text)) / most) * 10
  }
  const scored = known.map((candidate) => ({ candidate, distance: distanceTo(candidate.toLowerCase()) }))
  return scored
    .filter(({ distance }) => distance <= 10 * differing)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

/** ` (did you mean bilevel?)`, to follow a name that is not known; nothing where no known name is like it. */
export const didYouMean = (name: string, known: ReadonlyArray<string>, asked = "did you mean"): string => {
  const near = nearest(name, known, 3, 0.4)
  return near.length === 0 ? "" : ` (${asked} ${near.join(", ")}?)`
}
