import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { NormAttributes } from "./geometry.ts"

/** y = weight (x - mean) / sqrt(variance + epsilon) + bias, row by row */
export const reference = (
  { x, weight, bias }: Arrays<"x" | "weight" | "bias">,
  { y, mean, inverseDeviation }: Arrays<"y" | "mean" | "inverseDeviation">,
  _geometry: Geometry<string, string>,
  { epsilon }: NormAttributes
): void => {
  const columns = weight.length
  for (let row = 0; row < mean.length; row++) {
    const values = x.subarray(row * columns, (row + 1) * columns)
    const average = values.reduce((sum, value) => sum + value, 0) / columns
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / columns
    mean[row] = average
    inverseDeviation[row] = 1 / Math.sqrt(variance + epsilon)
    for (let c = 0; c < columns; c++) {
      y[row * columns + c] = (values[c]! - average) * inverseDeviation[row]! * weight[c]! + bias[c]!
    }
  }
}

/**
 * With n = (x - mean) / deviation and g = weight dy:
 * dx = (g - mean(g) - n mean(g n)) / deviation, dweight = sum over rows of dy n, dbias = sum over rows of dy
 */
export const referenceGradient = (
  { x, weight, mean, inverseDeviation, dy }: Arrays<"x" | "weight" | "mean" | "inverseDeviation" | "dy">,
  { dx, dweight, dbias }: Arrays<"dx" | "dweight" | "dbias">
): void => {
  const columns = weight.length
  dweight.fill(0)
  dbias.fill(0)
  for (let row = 0; row < mean.length; row++) {
    const start = row * columns
    const normalized = (c: number) => (x[start + c]! - mean[row]!) * inverseDeviation[row]!
    let meanG = 0
    let meanGN = 0
    for (let c = 0; c < columns; c++) {
      const g = weight[c]! * dy[start + c]!
      meanG += g / columns
      meanGN += (g * normalized(c)) / columns
      dweight[c]! += dy[start + c]! * normalized(c)
      dbias[c]! += dy[start + c]!
    }
    for (let c = 0; c < columns; c++) {
      const g = weight[c]! * dy[start + c]!
      dx[start + c] = (g - meanG - normalized(c) * meanGN) * inverseDeviation[row]!
    }
  }
}
