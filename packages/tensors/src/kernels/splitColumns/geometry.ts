/** The three parts of fused columns. */
import { InvalidAttribute } from "../../core/Errors.ts"
import { expectInteger } from "../operands/shapeRules.ts"

export interface SplitAttributes {
  /** Columns of the first, second and third part. */
  readonly widths: readonly [number, number, number]
}

/** Sum of the widths. Raises InvalidAttribute. */
export const totalWidth = (kernel: string, { widths }: SplitAttributes): number => {
  if (widths.length !== 3) throw new InvalidAttribute(kernel, "widths", widths, "three widths")
  for (const width of widths) expectInteger(kernel, "widths", width, 0)
  return widths[0] + widths[1] + widths[2]
}
