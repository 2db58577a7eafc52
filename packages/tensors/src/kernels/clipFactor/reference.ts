import type { Arrays, Geometry } from "../../Kernel.ts"
import type { ClipFactorAttributes } from "./geometry.ts"

/** norm = sqrt(total), factor = min(1, maxNorm / (norm + 1e-6)); the 1e-6 is PyTorch's guard against a norm of zero. */
export const reference = (
  { total }: Arrays<"total">,
  { factor, norm }: Arrays<"factor" | "norm">,
  _geometry: Geometry<"total", "factor" | "norm">,
  { maxNorm }: ClipFactorAttributes
): void => {
  norm[0] = Math.sqrt(total[0]!)
  factor[0] = Math.min(1, maxNorm / (norm[0] + 1e-6))
}
