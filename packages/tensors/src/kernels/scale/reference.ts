import type { Arrays, Geometry } from "../../Kernel.ts"
import type { ScaleAttributes } from "./geometry.ts"

/** y[i] = factor x[i] */
export const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"x", "y">,
  { factor }: ScaleAttributes
): void => {
  for (let i = 0; i < y.length; i++) y[i] = factor * x[i]!
}
