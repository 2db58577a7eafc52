/** A row of a benchmark's data file: what prompts and scorers read. */

/** Everything but the images; `cells` holds only present cells, each as Python's `str()` would print it. */
export interface Row {
  /** Number of the row in its file, from 1, the header not counted. */
  readonly row: number
  readonly index: string
  readonly cells: ReadonlyMap<string, string>
  /** Columns that have a text which pandas takes for missing, such as `None`; an empty cell is not one of them. */
  readonly takenForMissing?: ReadonlySet<string>
}

const letters = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

/** The option letters A to Z. */
export const optionLetters: readonly string[] = letters

/** The options that the row has, letter to text, in the order of the alphabet. */
export const optionsOf = (row: Row): ReadonlyMap<string, string> => {
  const options = new Map<string, string>()
  for (const letter of letters) {
    const text = row.cells.get(letter)
    if (text !== undefined) options.set(letter, text)
  }
  return options
}

/** The row's split, `none` in a file without that column. */
export const splitOf = (row: Row): string => row.cells.get("split") ?? "none"
