import type { Arrays, Geometry } from "../../Kernel.ts"

/** target[index[i], c] = rows[i, c] */
export const reference = (
  { target, rows, index }: Arrays<"target" | "rows" | "index">,
  _outputs: Arrays<never>,
  { inputs }: Geometry<"target" | "rows" | "index", never>
): void => {
  const columns = inputs.target[1]!
  for (const [i, row] of index.entries()) target.set(rows.subarray(i * columns, (i + 1) * columns), row * columns)
}
