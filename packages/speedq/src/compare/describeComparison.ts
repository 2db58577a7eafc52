/** A comparison of runs for the terminal. */
import { type Cell, fittingTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"
import type { RunComparison } from "./compareRuns.ts"
import { measureTable, settingsTable } from "./comparisonTables.ts"

/** A difference with a star stands out. */
const sureStandsOut = (cell: Cell): Cell =>
  typeof cell === "string" && cell.endsWith(" *") ? toned("strong", cell) : cell

export const describeComparison = (comparison: RunComparison): string => {
  const settings = settingsTable(comparison)
  const measures = measureTable(comparison)
  return [
    ...(settings === undefined
      ? ["The recipes are the same."]
      : [settings.title, fittingTable(settings.columns, settings.rows)]),
    "",
    measures.title,
    fittingTable(
      measures.columns,
      measures.rows.map((row) => row.map(sureStandsOut))
    ),
    "",
    measures.note ?? ""
  ].join("\n")
}
