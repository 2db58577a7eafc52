/** Extents of attention of tokens to each other, whose queries, keys and values lie side by side. */
import { InvalidAttribute } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import type { AttentionSize } from "../attention/geometry.ts"
import { expectAxes, expectShape } from "../operands/shapeRules.ts"

export interface SelfAttentionAttributes {
  /** Factor of the scores, usually 1 / sqrt(D). */
  readonly scale: number
}

/** Extents from qkv [B, T, 3, H, D]. Raises ShapeMismatch and InvalidAttribute. */
export const selfAttentionSize = (kernel: string, qkv: Shape, { scale }: SelfAttentionAttributes): AttentionSize => {
  expectAxes(kernel, "qkv", qkv, 5)
  const [batch, tokens, , heads, width] = qkv as [number, number, number, number, number]
  expectShape(kernel, "qkv", qkv, [batch, tokens, 3, heads, width])
  if (!Number.isFinite(scale)) throw new InvalidAttribute(kernel, "scale", scale, "a finite number")
  return { batch, queries: tokens, keys: tokens, heads, groups: heads, width }
}

/** Shape of queries, of keys, and of values: [B, T, H, D]. */
export const partShape = ({ batch, queries, heads, width }: AttentionSize): Shape => [batch, queries, heads, width]
