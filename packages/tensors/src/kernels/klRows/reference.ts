import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { logSumExp } from "../crossEntropyRows/reference.ts"
import type { KlAttributes } from "./geometry.ts"

type Operands = "student" | "teacher" | "weights" | "gradient"

/**
 * forward = sum_v pt (log pt - log ps), reverse = sum_v ps (log ps - log pt);
 * dforward/ds[v] = (ps - pt) / T, dreverse/ds[v] = ps ((log ps - log pt) - reverse) / T
 */
export const reference = (
  { student, teacher, weights, gradient }: Arrays<Operands>,
  { forward, reverse }: Arrays<"forward" | "reverse">,
  { inputs }: Geometry<Operands, "forward" | "reverse">,
  { beta, temperature }: KlAttributes
): void => {
  const vocabulary = inputs.student[1]!
  const logProbabilities = (logits: Float64Array, row: number) => {
    const x = logits.subarray(row * vocabulary, (row + 1) * vocabulary).map((value) => value / temperature)
    const normalizer = logSumExp(x)
    return x.map((value) => value - normalizer)
  }
  for (let row = 0; row < forward.length; row++) {
    // A row that does not count is not looked at: 0 times infinity would be NaN.
    if (weights?.[row] === 0) {
      forward[row] = 0
      reverse[row] = 0
      continue
    }
    const s = logProbabilities(student, row)
    const t = logProbabilities(teacher, row)
    forward[row] = t.reduce((sum, logT, v) => sum + Math.exp(logT) * (logT - s[v]!), 0)
    reverse[row] = s.reduce((sum, logS, v) => sum + Math.exp(logS) * (logS - t[v]!), 0)
    if (gradient === undefined) continue
    for (let v = 0; v < vocabulary; v++) {
      const [ps, pt] = [Math.exp(s[v]!), Math.exp(t[v]!)]
      const slope = (1 - beta) * (ps - pt) + beta * ps * (s[v]! - t[v]! - reverse[row]!)
      gradient[row * vocabulary + v]! += (weights[row]! * slope) / temperature
    }
  }
}
