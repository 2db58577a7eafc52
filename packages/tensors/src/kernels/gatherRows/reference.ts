import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { expectRows } from "../operands/shapeRules.ts"

/** y[n, c] = table[index[n], c] */
export const referenceGather = (
  { table, index }: Arrays<"table" | "index">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"table" | "index", "y">
): void => {
  const [count, columns] = [inputs.table[0]!, inputs.table[1]!]
  expectRows("gatherRows", "index", index, count)
  for (const [n, row] of index.entries()) y.set(table.subarray(row * columns, (row + 1) * columns), n * columns)
}

/** y[v, c] = sum over n with index[n] = v of rows[n, c], n in order */
export const referenceScatterAdd = (
  { rows, index }: Arrays<"rows" | "index">,
  { y }: Arrays<"y">,
  { outputs }: Geometry<"rows" | "index", "y">
): void => {
  const [count, columns] = [outputs.y[0]!, outputs.y[1]!]
  expectRows("scatterAddRows", "index", index, count)
  y.fill(0)
  for (const [n, row] of index.entries()) {
    for (let c = 0; c < columns; c++) y[row * columns + c]! += rows[n * columns + c]!
  }
}
