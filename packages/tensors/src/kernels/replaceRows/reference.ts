import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { expectDistinctRows, expectRows } from "../operands/shapeRules.ts"

/** y = base, then y[index[n], c] = rows[n, c] */
export const referenceReplace = (
  { base, rows, index }: Arrays<"base" | "rows" | "index">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"base" | "rows" | "index", "y">
): void => {
  const [count, columns] = [inputs.base[0]!, inputs.base[1]!]
  expectDistinctRows("replaceRows", "index", index, count)
  y.set(base)
  for (const [n, row] of index.entries()) y.set(rows.subarray(n * columns, (n + 1) * columns), row * columns)
}

/** y = x, then y[index[n], c] = 0 */
export const referenceZero = (
  { x, index }: Arrays<"x" | "index">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "index", "y">
): void => {
  const [count, columns] = [inputs.x[0]!, inputs.x[1]!]
  expectRows("zeroRows", "index", index, count)
  y.set(x)
  for (const row of index) y.fill(0, row * columns, (row + 1) * columns)
}
