import type { Arrays, Geometry } from "../../Kernel.ts"
import { softRounding, softRoundingSlope } from "../adaroundWeight/reference.ts"
import type { AdaroundPenaltyAttributes } from "./geometry.ts"

/** loss = lambda sum of 1 - |2 h(alpha) - 1|^beta */
export const reference = (
  { alpha }: Arrays<"alpha">,
  { loss }: Arrays<"loss">,
  _geometry: Geometry<"alpha", "loss">,
  { lambda, beta }: AdaroundPenaltyAttributes
): void => {
  loss[0] = lambda * alpha.reduce((sum, a) => sum + 1 - Math.abs(2 * softRounding(a) - 1) ** beta, 0)
}

/** With u = 2 h(alpha) - 1: dalpha = -dloss lambda beta |u|^(beta - 1) sign(u) 2 dh/dalpha */
export const referenceGradient = (
  { alpha, dloss }: Arrays<"alpha" | "dloss">,
  { dalpha }: Arrays<"dalpha">,
  _geometry: Geometry<"alpha" | "dloss", "dalpha">,
  { lambda, beta }: AdaroundPenaltyAttributes
): void => {
  for (let i = 0; i < alpha.length; i++) {
    const u = 2 * softRounding(alpha[i]!) - 1
    const slope = beta * Math.abs(u) ** (beta - 1) * Math.sign(u) * 2 * softRoundingSlope(alpha[i]!)
    dalpha[i] = -dloss[0]! * lambda * slope
  }
}
