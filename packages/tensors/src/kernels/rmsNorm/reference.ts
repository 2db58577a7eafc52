import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { NormAttributes } from "../layerNorm/geometry.ts"

/** y = weight (x / sqrt(mean(x^2) + epsilon)), row by row */
export const reference = (
  { x, weight }: Arrays<"x" | "weight">,
  { y, inverseRms }: Arrays<"y" | "inverseRms">,
  _geometry: Geometry<string, string>,
  { epsilon }: NormAttributes
): void => {
  const columns = weight.length
  for (let row = 0; row < inverseRms.length; row++) {
    const values = x.subarray(row * columns, (row + 1) * columns)
    const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / columns
    inverseRms[row] = 1 / Math.sqrt(meanSquare + epsilon)
    for (let c = 0; c < columns; c++) y[row * columns + c] = weight[c]! * (values[c]! * inverseRms[row]!)
  }
}

/** With n = x / rms and g = weight dy: dx = (g - n mean(g n)) / rms, dweight = sum over rows of dy n */
export const referenceGradient = (
  { x, weight, inverseRms, dy }: Arrays<"x" | "weight" | "inverseRms" | "dy">,
  { dx, dweight }: Arrays<"dx" | "dweight">
): void => {
  const columns = weight.length
  dweight.fill(0)
  for (let row = 0; row < inverseRms.length; row++) {
    const start = row * columns
    const normalized = (c: number) => x[start + c]! * inverseRms[row]!
    let meanGN = 0
    for (let c = 0; c < columns; c++) {
      meanGN += (weight[c]! * dy[start + c]! * normalized(c)) / columns
      dweight[c]! += dy[start + c]! * normalized(c)
    }
    for (let c = 0; c < columns; c++) {
      dx[start + c] = (weight[c]! * dy[start + c]! - normalized(c) * meanGN) * inverseRms[row]!
    }
  }
}
