/** Size of a quantized model, part by part (docs/method.md, "Parameters and bytes"). */
import { sizeOf } from "@speedq/tensors"
import { type Layer, type Plan, plainBits } from "./Rules.ts"

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

const partOf = ({ kind, tower }: Layer): string => (kind === "embedding" ? "embeddings" : `${tower} linears`)

/** Several parts as one. */
const together = (name: string, parts: readonly SizePart[]): SizePart => ({
  name,
  parameters: parts.reduce((sum, { parameters }) => sum + parameters, 0),
  bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0)
})

/**
 * Parts "embeddings" (embedding and head), one "<tower> linears" each, and "everything else" in 16 bits.
 * `parameters` counts the whole model. Bytes follow from bits a weight, without a file's padding and names.
 */
export const sizeReport = (plan: Plan, parameters: number): SizeReport => {
  const layers = [...plan.layers, ...plan.unmatched.map((layer) => ({ ...layer, bitsPerWeight: plainBits }))].map(
    (layer): SizePart => {
      const size = sizeOf(layer.shape)
      return { name: partOf(layer), parameters: size, bytes: (size * layer.bitsPerWeight) / 8 }
    }
  )
  const names = [...new Set(layers.map(({ name }) => name))]
  const parts = names.map((name) =>
    together(
      name,
      layers.filter((layer) => layer.name === name)
    )
  )
  const rest = parameters - together("", parts).parameters
  const all = [...parts, { name: "everything else", parameters: rest, bytes: (rest * plainBits) / 8 }]
  const total = together("total", all)
  return { parts: all, total, bitsPerParameter: (8 * total.bytes) / parameters }
}
