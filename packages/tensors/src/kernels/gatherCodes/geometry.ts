/** How codes are packed. */
export interface GatherCodesAttributes {
  /** Bits of a code. */
  readonly bits: number
  /** Rows of the packed matrix, and codes of a row. */
  readonly rows: number
  readonly columns: number
}
