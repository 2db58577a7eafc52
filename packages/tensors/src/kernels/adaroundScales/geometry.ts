/** Attributes of the search for scales. */
export interface AdaroundScalesAttributes {
  readonly bits: number
  /** Input columns that share a scale. */
  readonly group: number
  /** "max": the range, with 0 inside it. "mse": BRECQ's search over 80 shrinks of that range. */
  readonly method: "max" | "mse"
}
