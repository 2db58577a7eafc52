/** Size of a quantized model, part by part (internvl3.md 2.4). */
import { sizeOf } from "@speedq/tensors"
import type { Plan } from "./Rules.ts"

export interface SizePart {
  readonly name: string
  readonly parameters: number
  readonly bytes: number
}

export interface SizeReport {
  readonly parts: readonly SizePart[]
  readonly total: SizePart
  /** Bits a parameter of the whole model, everything included. */
  readonly bitsPerParameter: number
}

/** Bytes of a parameter that is not quantized: 16 bits. */
const plainBytes = 2

/**
 * Parts "embeddings" (embedding and head), one "<tower> linears" each, and "everything else" in 16 bits.
 * `parameters` counts the whole model. Bytes follow from bits a weight, as formats with scattered padding would take.
 */
export const sizeReport = (plan: Plan, parameters: number): SizeReport => {
  const quantized = [
    ...plan.layers.map(({ kind, tower, shape, bitsPerWeight }) => ({
      kind,
      tower,
      size: sizeOf(shape),
      bitsPerWeight
    })),
    ...plan.unmatched.map(({ kind, tower, shape }) => ({ kind, tower, size: sizeOf(shape), bitsPerWeight: 16 }))
  ]
  const names = quantized.map(({ kind, tower }) => (kind === "embedding" ? "embeddings" : `${tower} linears`))
  const parts = [...new Set(names)].map((name): SizePart => {
    const members = quantized.filter((_, index) => names[index] === name)
    return {
      name,
      parameters: members.reduce((sum, { size }) => sum + size, 0),
      bytes: members.reduce((sum, { size, bitsPerWeight }) => sum + (size * bitsPerWeight) / 8, 0)
    }
  })
  const counted = parts.reduce((sum, part) => sum + part.parameters, 0)
  const rest = { name: "everything else", parameters: parameters - counted, bytes: plainBytes * (parameters - counted) }
  const bytes = [...parts, rest].reduce((sum, part) => sum + part.bytes, 0)
  return {
    parts: [...parts, rest],
    total: { name: "total", parameters, bytes },
    bitsPerParameter: (8 * bytes) / parameters
  }
}
