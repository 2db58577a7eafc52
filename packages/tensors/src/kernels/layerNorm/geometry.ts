/** Attributes of the normalizations. */
export interface NormAttributes {
  /** Added to the variance or mean square before the root. */
  readonly epsilon: number
}
