/** Attributes and extents of bilevel quantization (arXiv:2511.08914 §3; docs/method.md, "Bilevel quantizer"). */
import { ShapeMismatch } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import { type GroupExtents, groupExtents } from "../groups/extents.ts"
import { expectBits, expectInteger } from "../operands/shapeRules.ts"

export interface BilevelAttributes {
  /** Bits of a weight code, 2 to 8. */
  readonly bits: number
  /** g: consecutive input columns that share a scale and a zero point. */
  readonly group: number
  /** qq: consecutive output rows (of one column group) whose scales share a second-level step and origin. */
  readonly scaleGroup: number
  /**
   * "f16": step and origin are halves and scale' = origin + step c, the stored format of 2.5 bits a weight.
   * "f32": scale' = step (c - origin) in single precision, as the reference computes it.
   */
  readonly secondLevel: "f16" | "f32"
  /** What f32 does when all scales of a second-level group are equal: keep them, or fall to 0.0667 as the reference (docs/quirks.md#quirk-10). */
  readonly commonScale: "exact" | "reference"
  /** Format that every elementary operation is rounded to; the reference runs in bf16 (docs/quirks.md#quirk-5). */
  readonly arithmetic: "f32" | "bf16"
}

/** What stands for a weight: codes [N, K], zeros and scale codes [K / g, N], step and origin of every second-level group. */
export type CodeName = "codes" | "zeros" | "scaleCodes" | "step" | "origin"

/** What the search starts from, and what it finds of the codes. */
export type SearchedName = "weight" | "step" | "origin"
export type FoundName = "codes" | "zeros" | "scaleCodes"

/** Scales and zeros are [K / g, N]: row j N + o is group j of output o. */
interface BilevelExtents extends GroupExtents {
  /** Second-level groups: K / g * N / qq. */
  readonly scaleGroups: number
}

/** Extents for a weight, or its codes, [N, K]. Raises ShapeMismatch and InvalidAttribute. */
export const bilevelExtents = (
  kernel: string,
  weight: Shape,
  attributes: BilevelAttributes,
  operand = "weight"
): BilevelExtents => {
  const { bits, group, scaleGroup } = attributes
  expectBits(kernel, bits)
  expectInteger(kernel, "scaleGroup", scaleGroup, 1)
  const { rows, columns, groups } = groupExtents(kernel, weight, group, operand)
  if ((groups * rows) % scaleGroup !== 0) {
    throw new ShapeMismatch(kernel, operand, `out * in / ${group} to be a multiple of scaleGroup ${scaleGroup}`, weight)
  }
  return { rows, columns, groups, scaleGroups: (groups * rows) / scaleGroup }
}
