/** Finds the known names closest to a mistyped one, for error messages. */

/** Number of single-character insertions, deletions and replacements between two texts (Levenshtein). */
const editDistance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}

/** Up to `count` of `known`, nearest to `name` first; a name that contains the other counts as near. */
export const nearest = (name: string, known: ReadonlyArray<string>, count = 3): ReadonlyArray<string> => {
  const wanted = name.toLowerCase()
  const scored = known.map((candidate) => {
    const text = candidate.toLowerCase()
    const contained = text.includes(wanted) || wanted.includes(text)
    return {
      candidate,
      distance: contained ? 1 : (editDistance(wanted, text) / Math.max(wanted.length, text.length)) * 10
    }
  })
  return scored
    .filter(({ distance }) => distance <= 6)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}
