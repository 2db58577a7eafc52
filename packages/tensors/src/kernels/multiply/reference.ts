import type { Arrays } from "../../Kernel.ts"

/** y[i] = a[i] b[i] */
export const reference = ({ a, b }: Arrays<"a" | "b">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! * b[i]!
}
