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

/** What a step of Adam computes with, the same for all elements: with d_i the corrections 1 - beta_i^step, stepSize is rate / d_1, and correction the root of d_2. */
export const adamNumbers = ({
  learningRate,
  beta1,
  beta2,
  epsilon,
  step
}: Omit<AdamStepAttributes, "weightDecay" | "decoupled">) => ({
  beta1,
  rest1: 1 - beta1,
  beta2,
  rest2: 1 - beta2,
  stepSize: learningRate / (1 - beta1 ** step),
  correction: Math.sqrt(1 - beta2 ** step),
  epsilon
})

/** What the decay multiplies a parameter with, and the share of the parameter that it adds to the gradient. */
export const adamDecay = ({
  learningRate,
  weightDecay,
  decoupled
}: Pick<AdamStepAttributes, "learningRate" | "weightDecay" | "decoupled">) =>
  decoupled ? { shrink: 1 - learningRate * weightDecay, added: 0 } : { shrink: 1, added: weightDecay }
