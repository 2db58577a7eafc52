/** Annealing of the rounding regularizer (docs/method.md, "Block reconstruction"). */

export interface AnnealingOptions {
  /** T: iterations of the whole optimization. */
  readonly iterations: number
  /** Share of T without regularizer, 0.2. */
  readonly warmup: number
  /** Exponent at the beginning and at the end: 20 and 2. High ones free the middle, low ones push to 0 and 1. */
  readonly start: number
  readonly end: number
}

/** Exponent beta_t of iteration t, which counts from 1: start during warm-up, then linear to end. */
export const annealedExponent = ({ iterations, warmup, start, end }: AnnealingOptions, t: number): number => {
  const warm = warmup * iterations
  if (t < warm) return start
  return end + (start - end) * Math.max(0, 1 - (t - warm) / (iterations - warm))
}

/** Whether the regularizer counts in iteration t. */
export const isAnnealing = ({ iterations, warmup }: AnnealingOptions, t: number): boolean => t >= warmup * iterations
