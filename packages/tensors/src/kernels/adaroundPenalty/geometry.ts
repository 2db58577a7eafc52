/** Attributes of AdaRound's rounding penalty. */
export interface AdaroundPenaltyAttributes {
  /** Weight of the penalty. */
  readonly lambda: number
  /** Exponent, annealed from 20 to 2: how far from 0 and 1 it pulls. */
  readonly beta: number
}
