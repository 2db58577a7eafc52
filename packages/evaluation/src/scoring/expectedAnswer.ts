/** The answer that the data file expects. */
import { UnscorableRow } from "../benchmarks/Benchmark.ts"
import type { Row } from "../data/Row.ts"

/** The row's `answer` cell. Throws {@link UnscorableRow} where it is missing. */
export const expectedAnswer = (row: Row): string => {
  const answer = row.cells.get("answer")
  if (answer === undefined) throw new UnscorableRow(row, "answer", "the cell is missing, so the row cannot be scored")
  return answer
}
