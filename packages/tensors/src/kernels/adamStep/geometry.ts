/** Attributes of one step of Adam. */
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
