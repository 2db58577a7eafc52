/** A comparison of runs for the terminal. */
import { fittingTable } from "../command/textTable.ts"
import type { RunComparison } from "./compareRuns.ts"
import { measureTable, settingsTable } from "./comparisonTables.ts"

export const describeComparison = (comparison: RunComparison): string => {
  const settings = settingsTable(comparison)
  const measures = measureTable(comparison)
  return [
    ...(settings === undefined
      ? ["The recipes are the same."]
      : [settings.title, fittingTable(settings.columns, settings.rows)]),
    "",
    measures.title,
    fittingTable(measures.columns, measures.rows),
    "",
    measures.note ?? ""
  ].join("\n")
}
