import type { Arrays } from "../../Kernel.ts"

/** y[n, i] = factors[n] x[n, i] */
export const reference = ({ x, factors }: Arrays<"x" | "factors">, { y }: Arrays<"y">): void => {
  const rest = y.length / factors.length
  for (let i = 0; i < y.length; i++) y[i] = x[i]! * factors[Math.floor(i / rest)]!
}
