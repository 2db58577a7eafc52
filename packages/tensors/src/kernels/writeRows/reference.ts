import type { Arrays, Geometry } from "../../Kernel.ts"
import { expectDistinctRows } from "../shapeRules.ts"

/** target[index[i], c] = rows[i, c] */
export const reference = (
  { target, rows, index }: Arrays<"target" | "rows" | "index">,
  _outputs: Arrays<never>,
  { inputs }: Geometry<"target" | "rows" | "index", never>
): void => {
  const [count, columns] = [inputs.target[0]!, inputs.target[1]!]
  expectDistinctRows("writeRows", "index", index, count)
  for (const [i, row] of index.entries()) target.set(rows.subarray(i * columns, (i + 1) * columns), row * columns)
}
