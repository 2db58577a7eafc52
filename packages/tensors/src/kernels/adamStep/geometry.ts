/** Attributes of one step of Adam. */
import { InvalidAttribute } from "../../core/Errors.ts"
import { expectAtLeast, expectInteger } from "../operands/shapeRules.ts"

export interface AdamStepAttributes {
  readonly learningRate: number
  /** Decay of the first moment. */
  readonly beta1: number
  /** Decay of the second moment. */
  readonly beta2: number
  /** Added to the root of the second moment. */
  readonly epsilon: number
  readonly weightDecay: number
  /** AdamW: the decay shrinks the parameter itself. Otherwise it is added to the gradient. */
  readonly decoupled: boolean
  /** Which step this is, from 1. */
  readonly step: number
}

/** Checks what every step of Adam needs. Raises InvalidAttribute. */
export const checkAdam = (
  kernel: string,
  {
    learningRate,
    beta1,
    beta2,
    epsilon,
    step
  }: Pick<AdamStepAttributes, "learningRate" | "beta1" | "beta2" | "epsilon" | "step">
): void => {
  expectAtLeast(kernel, "learningRate", learningRate, 0)
  for (const [name, value] of Object.entries({ beta1, beta2 })) {
    if (!(value >= 0 && value < 1)) throw new InvalidAttribute(kernel, name, value, "a number in [0, 1)")
  }
  expectAtLeast(kernel, "epsilon", epsilon, 0)
  expectInteger(kernel, "step", step, 1)
}
