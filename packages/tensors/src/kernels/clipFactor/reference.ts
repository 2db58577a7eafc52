import type { Arrays, Geometry } from "../../Kernel.ts"
import type { ClipFactorAttributes } from "./geometry.ts"

/** factor = min(1, maxNorm / (sqrt(total) + 1e-6)); the 1e-6 is PyTorch's guard against a norm of zero. */
export const reference = (
  { total }: Arrays<"total">,
  { factor }: Arrays<"factor">,
  _geometry: Geometry<"total", "factor">,
  { maxNorm }: ClipFactorAttributes
): void => {
  factor[0] = Math.min(1, maxNorm / (Math.sqrt(total[0]!) + 1e-6))
}
