/** Attributes of one step of AdaRound. */
export interface AdaroundStepAttributes {
  /** Bits of a weight code. */
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** Weight of the rounding penalty; 0 leaves it out. */
  readonly lambda: number
  /** beta_t, annealed from 20 to 2: how far from 0 and 1 the penalty pulls. */
  readonly exponent: number
  readonly learningRate: number
  /** Decay of the first moment. */
  readonly beta1: number
  /** Decay of the second moment. */
  readonly beta2: number
  /** Added to the root of the second moment. */
  readonly epsilon: number
  /** Which step this is, from 1. */
  readonly step: number
}
