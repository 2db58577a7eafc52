/** Which row of a data file an index of a predictions file names, however the program that wrote it spells numbers. */
import type { Row } from "../data/Row.ts"
import { typeColumn } from "../internal/pandasColumn.ts"

/** A number as pandas prints it, a whole one without ".0"; any other text as it is. */
const spelled = (index: string): string => (typeColumn([index]).cells[0] ?? index).replace(/\.0$/, "")

/**
 * Finds rows by their index as it stands, else by its number: "1", "1.0" and "01" are one index, unless the data file tells them apart.
 *
 * @example const row = rowFinder(data.rows)("1.0")
 */
export const rowFinder = (rows: readonly Row[]): ((index: string) => Row | undefined) => {
  const exact = new Map(rows.map((row) => [row.index, row]))
  const alike = new Map<string, Row | undefined>()
  for (const row of rows) {
    const key = spelled(row.index)
    alike.set(key, alike.has(key) ? undefined : row)
  }
  return (index) => exact.get(index) ?? alike.get(spelled(index))
}
