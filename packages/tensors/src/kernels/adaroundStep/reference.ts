import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { reference as adam } from "../adamStep/reference.ts"
import { softRounding, softRoundingSlope, referenceGradient as weightGradient } from "../adaroundWeight/reference.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

type Operands = "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero"

/** With u = 2 h(alpha) - 1: rounding = lambda sum of 1 - |u|^exponent; then Adam on alpha with the gradients of both terms. */
export const reference = (
  { alpha, m, v, dy, weight, scale, zero }: Arrays<Operands>,
  { rounding }: Arrays<"rounding">,
  { inputs }: Geometry<Operands, "rounding">,
  { bits, group, lambda, exponent, ...options }: AdaroundStepAttributes
): void => {
  const gradient = new Float64Array(alpha.length)
  const geometry = { inputs, outputs: { dalpha: inputs.alpha } }
  weightGradient({ dy, weight, scale, zero, alpha }, { dalpha: gradient }, geometry, { bits, group, hard: false })
  let sum = 0
  for (let i = 0; i < alpha.length; i++) {
    const u = 2 * softRounding(alpha[i]!) - 1
    const slope = exponent * Math.abs(u) ** (exponent - 1) * Math.sign(u) * 2 * softRoundingSlope(alpha[i]!)
    sum += 1 - Math.abs(u) ** exponent
    gradient[i]! -= lambda * slope
  }
  rounding[0] = lambda * sum
  const update = { ...options, weightDecay: 0, decoupled: false }
  adam({ parameter: alpha, m, v, gradient, factor: Float64Array.of(1) }, {}, { inputs, outputs: {} }, update)
}
