import type { Arrays } from "../../Kernel.ts"

/** target[i] += x[i] */
export const reference = ({ target, x }: Arrays<"target" | "x">): void => {
  for (let i = 0; i < x.length; i++) target[i]! += x[i]!
}
