import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { expectRows } from "../operands/shapeRules.ts"
import { type CrossEntropyAttributes, ignoredLabel } from "./geometry.ts"

type Operands = "logits" | "labels" | "weights" | "gradient"

/** log of sum of exp(x): the largest first, so that nothing overflows */
export const logSumExp = (x: Float64Array): number => {
  const shift = x.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  return shift + Math.log(x.reduce((sum, value) => sum + Math.exp(value - shift), 0))
}

/**
 * With -log p[v] = logSumExp - logits[v]: loss = (1 - s) (-log p[label]) + s mean_v(-log p[v]),
 * gradient[v] += weight (p[v] - (1 - s) [v = label] - s / V)
 */
export const reference = (
  { logits, labels, weights, gradient }: Arrays<Operands>,
  { loss }: Arrays<"loss">,
  { inputs }: Geometry<Operands, "loss">,
  { smoothing }: CrossEntropyAttributes
): void => {
  const vocabulary = inputs.logits[1]!
  const used = labels.map((label) => (label === ignoredLabel ? 0 : label))
  expectRows("crossEntropyRows", "labels", used, Math.max(1, vocabulary))
  for (const [row, label] of labels.entries()) {
    if (label === ignoredLabel || weights?.[row] === 0) {
      loss[row] = 0
      continue
    }
    const x = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
    const normalizer = logSumExp(x)
    // Without smoothing the mean is not formed: a logit of -infinity is a legal "never".
    const spread =
      smoothing === 0 ? 0 : smoothing * (normalizer - x.reduce((sum, value) => sum + value / vocabulary, 0))
    loss[row] = (1 - smoothing) * (normalizer - x[label]!) + spread
    if (gradient === undefined) continue
    for (let v = 0; v < vocabulary; v++) {
      const target = (v === label ? 1 - smoothing : 0) + smoothing / vocabulary
      gradient[row * vocabulary + v]! += weights[row]! * (Math.exp(x[v]! - normalizer) - target)
    }
  }
}
