import type { Arrays, Geometry } from "../../Kernel.ts"

/** y = exp(x - max) / sum exp(x - max), row by row */
export const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const columns = inputs.x.at(-1)!
  for (let start = 0; start < x.length; start += columns) {
    const row = x.subarray(start, start + columns)
    const shift = Math.max(...row)
    const powers = row.map((value) => Math.exp(value - shift))
    const total = powers.reduce((sum, power) => sum + power, 0)
    for (let c = 0; c < columns; c++) y[start + c] = powers[c]! / total
  }
}

/** dx = y (dy - sum of y dy), row by row */
export const referenceGradient = (
  { y, dy }: Arrays<"y" | "dy">,
  { dx }: Arrays<"dx">,
  { inputs }: Geometry<"y" | "dy", "dx">
): void => {
  const columns = inputs.y.at(-1)!
  for (let start = 0; start < y.length; start += columns) {
    let inner = 0
    for (let i = start; i < start + columns; i++) inner += y[i]! * dy[i]!
    for (let i = start; i < start + columns; i++) dx[i] = y[i]! * (dy[i]! - inner)
  }
}
