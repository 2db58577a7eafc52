/** Attributes of cross entropy, and the label that stands for none. */
export interface CrossEntropyAttributes {
  /** Share of the target spread evenly over the vocabulary, in [0, 1]. */
  readonly smoothing: number
}

/** Rows with this label have loss 0 and gradient 0. */
export const ignoredLabel = -100
