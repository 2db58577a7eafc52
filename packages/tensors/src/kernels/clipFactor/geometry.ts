/** Attributes of clipping. */

export interface ClipFactorAttributes {
  readonly maxNorm: number
}
