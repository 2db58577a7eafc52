import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { AdamStepAttributes } from "./geometry.ts"

/** p, m and v after one step; the formulas are in definition.ts */
export const reference = (
  { parameter, m, v, gradient, factor }: Arrays<"parameter" | "m" | "v" | "gradient" | "factor">,
  _outputs: Arrays<never>,
  _geometry: Geometry<string, never>,
  { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, step }: AdamStepAttributes
): void => {
  if ((factor?.[0] ?? 1) < 0) return
  const stepSize = learningRate / (1 - beta1 ** step)
  const secondCorrection = Math.sqrt(1 - beta2 ** step)
  for (let i = 0; i < parameter.length; i++) {
    const decayed = decoupled ? parameter[i]! * (1 - learningRate * weightDecay) : parameter[i]!
    const g = gradient[i]! * (factor?.[0] ?? 1) + (decoupled ? 0 : weightDecay * parameter[i]!)
    m[i] = beta1 * m[i]! + (1 - beta1) * g
    v[i] = beta2 * v[i]! + (1 - beta2) * g * g
    parameter[i] = decayed - (stepSize * m[i]!) / (Math.sqrt(v[i]!) / secondCorrection + epsilon)
  }
}
