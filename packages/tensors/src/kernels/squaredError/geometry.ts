/** Attributes of the squared error. */
export interface SquaredErrorAttributes {
  /** Of the sum: 1 / n for a mean. */
  readonly factor: number
}
