/** A codebook and what decides between its levels. */
import { InvalidAttribute } from "../../core/Errors.ts"

export interface CodebookAttributes {
  /** Input columns that share their two scales. */
  readonly group: number
  /** Ascending levels in [-1, 1], 2 to 16 of them; used as f32. */
  readonly levels: readonly number[]
}

/** Levels and the f32 midpoints between neighbours; a quotient at a midpoint takes the upper level. */
export const codebook = (
  kernel: string,
  { levels }: CodebookAttributes
): { readonly levels: readonly number[]; readonly thresholds: readonly number[] } => {
  const ascending = levels.every((level, i) => level >= -1 && level <= 1 && (i === 0 || level > levels[i - 1]!))
  if (levels.length < 2 || levels.length > 16 || !ascending) {
    throw new InvalidAttribute(kernel, "levels", levels, "2 to 16 ascending numbers in [-1, 1]")
  }
  const single = levels.map(Math.fround)
  return {
    levels: single,
    thresholds: single.slice(1).map((level, i) => Math.fround((level + single[i]!) / 2))
  }
}
