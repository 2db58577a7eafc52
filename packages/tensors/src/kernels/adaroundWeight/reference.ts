import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { type AdaroundWeightAttributes, adaroundStretch } from "./geometry.ts"

type Operands = "weight" | "scale" | "zero" | "alpha"

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
const { gamma, zeta } = adaroundStretch

/** h(alpha), in [0, 1] */
export const softRounding = (alpha: number): number => Math.min(1, Math.max(0, sigmoid(alpha) * (zeta - gamma) + gamma))

/** dh/dalpha: 0 where h is clamped */
export const softRoundingSlope = (alpha: number): number => {
  const s = sigmoid(alpha)
  const stretched = s * (zeta - gamma) + gamma
  return stretched < 0 || stretched > 1 ? 0 : s * (1 - s) * (zeta - gamma)
}

/** The quotient is rounded to f32: a weight at a whole number of steps must fall to the same side in every precision. */
const steps = (weight: number, scale: number): number => Math.floor(Math.fround(weight / scale))

/** y = scale (clamp(floor(w / scale) + up + zero, 0, 2^b - 1) - zero), up = h(alpha), or [alpha >= 0] when hard */
export const reference = (
  { weight, scale, zero, alpha }: Arrays<Operands>,
  { y }: Arrays<"y">,
  _geometry: Geometry<Operands, "y">,
  { bits, group, hard }: AdaroundWeightAttributes
): void => {
  const largest = 2 ** bits - 1
  for (let i = 0; i < y.length; i++) {
    const [s, z] = [scale[Math.floor(i / group)]!, zero[Math.floor(i / group)]!]
    const up = hard ? Number(alpha[i]! >= 0) : softRounding(alpha[i]!)
    y[i] = s * (Math.min(largest, Math.max(0, steps(weight[i]!, s) + up + z)) - z)
  }
}

/** dalpha = dy scale dh/dalpha where 0 <= floor(w / scale) + h + zero <= 2^b - 1, 0 elsewhere */
export const referenceGradient = (
  { dy, weight, scale, zero, alpha }: Arrays<Operands | "dy">,
  { dalpha }: Arrays<"dalpha">,
  _geometry: Geometry<Operands | "dy", "dalpha">,
  { bits, group }: AdaroundWeightAttributes
): void => {
  const largest = 2 ** bits - 1
  for (let i = 0; i < dalpha.length; i++) {
    const [s, z] = [scale[Math.floor(i / group)]!, zero[Math.floor(i / group)]!]
    const code = steps(weight[i]!, s) + softRounding(alpha[i]!) + z
    dalpha[i] = code < 0 || code > largest ? 0 : dy[i]! * s * softRoundingSlope(alpha[i]!)
  }
}
