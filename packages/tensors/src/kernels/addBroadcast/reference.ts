import type { Arrays } from "../../Kernel.ts"

/** y[t, i] = a[t, i] + b[i] */
export const reference = ({ a, b }: Arrays<"a" | "b">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! + b[i % b.length]!
}

/** y[c] = sum over r of x[r, c], rows in order */
export const referenceColumnSums = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  y.fill(0)
  for (let i = 0; i < x.length; i++) y[i % y.length]! += x[i]!
}
