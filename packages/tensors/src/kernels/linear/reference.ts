import type { Arrays, Geometry } from "../../Kernel.ts"

/** y[r, n] = bias[n] + sum over k of x[r, k] weight[n, k] */
export const reference = (
  { x, weight, bias }: Arrays<"x" | "weight" | "bias">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "weight" | "bias", "y">
): void => {
  const [n, k] = [inputs.weight[0]!, inputs.weight[1]!]
  for (let i = 0; i < y.length; i++) {
    const [row, column] = [Math.floor(i / n), i % n]
    let sum = bias?.[column] ?? 0
    for (let j = 0; j < k; j++) sum += x[row * k + j]! * weight[column * k + j]!
    y[i] = sum
  }
}
