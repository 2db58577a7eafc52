/** Rows made by hand for the tests. */
import type { Row } from "../src/data/Row.ts"

let made = 0

/** A row with these cells; `index` is one of them. */
export const rowOf = (cells: Readonly<Record<string, string>>): Row => ({
  row: ++made,
  index: cells.index ?? String(made),
  cells: new Map(Object.entries(cells))
})

/** Options A, B, ... from texts. */
export const optionsMap = (texts: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(texts))
