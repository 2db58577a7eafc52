import type { Arrays, Geometry } from "../../Kernel.ts"

/** y[o, k] = clamp(weight[o, k], low[o, k div g], high[o, k div g]) */
export const reference = (
  { weight, low, high }: Arrays<"weight" | "low" | "high">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"weight" | "low" | "high", "y">
): void => {
  const group = inputs.weight[1]! / inputs.low[1]!
  for (let i = 0; i < y.length; i++) {
    const range = Math.floor(i / group)
    y[i] = Math.min(Math.max(weight[i]!, low[range]!), high[range]!)
  }
}
