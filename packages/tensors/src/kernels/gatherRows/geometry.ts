/** Attributes of the sum of rows by index. */
export interface ScatterAttributes {
  /** Rows of the result. */
  readonly count: number
}
