/**
 * The packed container: one safetensors file with quantized parameters packed (packedWeight.ts) and all others as they
 * are. Metadata: `format` = "speedq-packed", `version` = "1", `quantized` = JSON { parameter: { use, version, with, shape } }.
 */
import type { Safetensors, TensorStore } from "@speedq/formats"
import type { Backend, Shape } from "@speedq/tensors"
import { PackedInvalid } from "./Errors.ts"
import { type PackedWeight, packedEntries, readPackedWeight } from "./packedWeight.ts"
import type { QuantizedWeight, Quantizer, QuantizerChoice } from "./Quantizer.ts"
import { decodeChoice, encodeChoice, quantizers } from "./registry.ts"

const format = "speedq-packed"
const version = "1"

/** A parameter to be packed. */
export interface PackedParameter {
  readonly choice: QuantizerChoice
  readonly shape: Shape
  readonly quantized: QuantizedWeight
}

interface Described {
  readonly use: string
  readonly version: number
  readonly with: object
  readonly shape: Shape
}

/** Entries and metadata of a container, for `Safetensors.write`. */
export const packedContainer = (
  quantized: ReadonlyMap<string, PackedParameter>,
  others: readonly Safetensors.TensorSource[]
): { readonly entries: readonly Safetensors.TensorSource[]; readonly metadata: Readonly<Record<string, string>> } => {
  const described = Object.fromEntries(
    [...quantized].map(([name, { choice, shape }]) => [name, { ...encodeChoice(choice), shape }])
  )
  const packed = [...quantized].flatMap(([name, { choice, shape, quantized: weight }]) =>
    packedEntries(name, choice, shape, weight)
  )
  return { entries: [...packed, ...others], metadata: { format, version, quantized: JSON.stringify(described) } }
}

/** Whether a safetensors file is a packed container. */
export const isPackedContainer = ({ metadata }: TensorStore): boolean => metadata["format"] === format

/** What a container holds besides plain tensors. */
export interface PackedContents {
  readonly weights: ReadonlyMap<string, PackedWeight>
  /** Names of entries that belong to packed parameters. */
  readonly entries: ReadonlySet<string>
}

/** Reads the packed parameters of a container; `known` adds a user's own quantizers. Raises PackedInvalid, UnknownQuantizer and read errors. */
export const readPackedContainer = (
  backend: Backend,
  store: TensorStore,
  known: readonly Quantizer[] = quantizers
): PackedContents => {
  const fail = (reason: string): never => {
    throw new PackedInvalid({ file: store.path, reason })
  }
  if (!isPackedContainer(store)) return fail(`it is no ${format} container`)
  if (store.metadata["version"] !== version)
    return fail(`version ${store.metadata["version"]}, this program reads ${version}`)
  const weights = new Map<string, PackedWeight>()
  const entries = new Set<string>()
  try {
    for (const [name, described] of Object.entries(
      JSON.parse(store.metadata["quantized"] ?? "{}") as Record<string, Described>
    )) {
      const choice = decodeChoice(described, known)
      if (choice.quantizer.version !== described.version) {
        fail(
          `${name} was packed by version ${described.version} of "${described.use}", this program has ${choice.quantizer.version}`
        )
      }
      weights.set(name, readPackedWeight(backend, store, name, choice, described.shape))
      for (const part of choice.quantizer.stored(choice.config, described.shape)) entries.add(`${name}.${part.name}`)
    }
    return { weights, entries }
  } catch (error) {
    for (const weight of weights.values()) weight.release()
    if (error instanceof SyntaxError) return fail(`its description is not JSON: ${error.message}`)
    throw error
  }
}
