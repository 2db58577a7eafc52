import type { Arrays } from "../../Kernel.ts"

/** y = sum of x[i] */
export const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  let total = 0
  for (const value of x) total += value
  y[0] = total
}
