/** Learning rates as functions of the step. */
import { InvalidAttribute } from "../core/Errors.ts"

/** The learning rate of step `step`, counted from 0. */
export type Schedule = (step: number) => number

export interface WarmupCosineOptions {
  /** Rate at the end of the warm-up. */
  readonly peak: number
  /** Steps from 0 to the peak. */
  readonly warmupSteps: number
  /** Steps until the rate is 0 again. */
  readonly totalSteps: number
}

/**
 * Linear warm-up, then half a cosine down to 0: peak step / warmup, then peak (1 + cos(pi (step - warmup) / (total - warmup))) / 2.
 * Step 0 of a warm-up has rate 0, as in the reference's scheduler. Raises InvalidAttribute.
 */
export const warmupCosine = ({ peak, warmupSteps, totalSteps }: WarmupCosineOptions): Schedule => {
  if (!(peak >= 0)) throw new InvalidAttribute("warmupCosine", "peak", peak, "a number of at least 0")
  if (!(Number.isInteger(warmupSteps) && warmupSteps >= 0)) {
    throw new InvalidAttribute("warmupCosine", "warmupSteps", warmupSteps, "a whole number of at least 0")
  }
  if (!(Number.isInteger(totalSteps) && totalSteps >= warmupSteps)) {
    throw new InvalidAttribute("warmupCosine", "totalSteps", totalSteps, `a whole number of at least ${warmupSteps}`)
  }
  return (step) => {
    if (step < warmupSteps) return (peak * step) / warmupSteps
    const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps)
    return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))))
  }
}

/** The same rate at every step. */
export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate
