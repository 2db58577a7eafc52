/** Extents of attention, and which keys a query sees. */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import { formatShape, type Shape } from "../../core/Shape.ts"
import { expectAxes, expectShape } from "../operands/shapeRules.ts"

export interface AttentionAttributes {
  /** Query i, which sits at key position i + (keys - queries), sees no later key. */
  readonly causal: boolean
  /** Factor of the scores, usually 1 / sqrt(width). */
  readonly scale: number
}

export interface AttentionSize {
  readonly batch: number
  readonly queries: number
  readonly keys: number
  readonly heads: number
  /** Key-value heads: head h uses number floor(h groups / heads). */
  readonly groups: number
  readonly width: number
}

/** Extents from q [B, T, H, D], k and v [B, S, G, D], keyMask [B, S]. Raises ShapeMismatch and InvalidAttribute. */
export const attentionSize = (
  kernel: string,
  { q, k, v, keyMask }: { readonly q: Shape; readonly k: Shape; readonly v: Shape; readonly keyMask?: Shape },
  { scale }: AttentionAttributes
): AttentionSize => {
  expectAxes(kernel, "q", q, 4)
  expectAxes(kernel, "k", k, 4)
  const [batch, queries, heads, width] = q as [number, number, number, number]
  const [, keys, groups] = k as [number, number, number, number]
  expectShape(kernel, "k", k, [batch, keys, groups, width])
  expectShape(kernel, "v", v, k)
  if (!(groups > 0 && heads % groups === 0)) {
    throw new ShapeMismatch(kernel, "k", `key-value heads that divide the ${heads} heads of "q" ${formatShape(q)}`, k)
  }
  if (keyMask !== undefined) expectShape(kernel, "keyMask", keyMask, [batch, keys])
  if (!Number.isFinite(scale)) throw new InvalidAttribute(kernel, "scale", scale, "a finite number")
  return { batch, queries, keys, heads, groups, width }
}

/** How many keys, from the first on, query `query` sees. */
export const visibleKeys = (
  { queries, keys }: AttentionSize,
  { causal }: AttentionAttributes,
  query: number
): number => (causal ? Math.max(0, Math.min(keys, query + 1 + keys - queries)) : keys)
