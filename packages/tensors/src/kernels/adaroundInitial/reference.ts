import type { Arrays, Geometry } from "../../Kernel.ts"

const f = Math.fround
const gamma = -0.1
const zeta = 1.1

/** alpha = -ln((zeta - gamma) / (rest - gamma) - 1), rest = w / scale - floor(w / scale), the quotient in f32. */
export const reference = (
  { weight, scale }: Arrays<"weight" | "scale">,
  { alpha }: Arrays<"alpha">,
  { inputs }: Geometry<"weight" | "scale", "alpha">
): void => {
  const group = inputs.weight[1]! / inputs.scale[1]!
  for (let i = 0; i < alpha.length; i++) {
    const quotient = f(weight[i]! / scale[Math.floor(i / group)]!)
    const rest = quotient - Math.floor(quotient)
    alpha[i] = -Math.log((zeta - gamma) / (rest - gamma) - 1)
  }
}
