/** Attributes of the divergences between two rows of logits. */
export interface KlAttributes {
  /** Share of KL(student || teacher) in the gradient, in [0, 1]. */
  readonly beta: number
  /** Both logits are divided by it first. */
  readonly temperature: number
}
