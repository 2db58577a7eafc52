/**
 * The packed container: one safetensors file with quantized parameters packed (packedWeight.ts) and all others as they
 * are. Metadata: `format` = "speedq-packed", `version` = "1", `quantized` = JSON { parameter: { use, version, with, shape } }.
 */
import type { Safetensors, TensorStore } from "@speedq/formats"
import type { Backend, Shape } from "@speedq/tensors"
import { PackedInvalid } from "./Errors.ts"
import { type PackedWeight, readPackedWeight } from "./packedWeight.ts"
import type { Quantizer, QuantizerChoice } from "./Quantizer.ts"
import { decodeChoice, encodeChoice, quantizers } from "./registry.ts"

const format = "speedq-packed"
const version = "1"

export type PackedWeights = ReadonlyMap<string, PackedWeight>

/** How packed parameters were quantized, by name: JSON that `readPackedWeights` understands. */
export const describePacked = (weights: PackedWeights): { readonly [parameter: string]: object } =>
  Object.fromEntries([...weights].map(([name, { choice, shape }]) => [name, { ...encodeChoice(choice), shape }]))

/** Entries and metadata of a container, for `Safetensors.write`: packed parameters, then `others` as they are. */
export const packedContainer = (
  weights: PackedWeights,
  others: readonly Safetensors.TensorSource[]
): {
  readonly entries: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
} => ({
  entries: [...[...weights].flatMap(([name, weight]) => weight.entries(name)), ...others],
  metadata: { format, version, quantized: JSON.stringify(describePacked(weights)) }
})

/** Whether a safetensors file is a packed container. */
export const isPackedContainer = ({ metadata }: Pick<TensorStore, "metadata">): boolean => metadata["format"] === format

interface Described {
  readonly use: string
  readonly version: number
  readonly with: object
  readonly shape: Shape
}

const choiceOf = (file: string, name: string, described: Described, known: readonly Quantizer[]): QuantizerChoice => {
  const choice = decodeChoice(described, known)
  if (choice.quantizer.version === described.version) return choice
  const reason = `${name} was packed by version ${described.version} of "${described.use}", this program has ${choice.quantizer.version}`
  throw new PackedInvalid({ file, reason })
}

/** Reads the parameters that a description names. Raises PackedInvalid, UnknownQuantizer and read errors; nothing stays allocated then. */
export const readPackedWeights = (
  backend: Backend,
  store: TensorStore,
  description: { readonly [parameter: string]: object },
  known: readonly Quantizer[] = quantizers
): PackedWeights => {
  const weights = new Map<string, PackedWeight>()
  try {
    for (const [name, described] of Object.entries(description as { readonly [name: string]: Described })) {
      const choice = choiceOf(store.path, name, described, known)
      weights.set(name, readPackedWeight(backend, store, name, choice, described.shape))
    }
    return weights
  } catch (error) {
    for (const weight of weights.values()) weight.release()
    throw error
  }
}

/** The packed parameters of a container; `known` adds a user's own quantizers. Raises PackedInvalid, UnknownQuantizer and read errors. */
export const readPackedContainer = (
  backend: Backend,
  store: TensorStore,
  known: readonly Quantizer[] = quantizers
): PackedWeights => {
  const fail = (reason: string): never => {
    throw new PackedInvalid({ file: store.path, reason })
  }
  if (!isPackedContainer(store)) return fail(`it is no ${format} container`)
  const written = store.metadata["version"]
  if (written !== version) return fail(`version ${written}, this program reads ${version}`)
  let description: { readonly [parameter: string]: object }
  try {
    description = JSON.parse(store.metadata["quantized"] ?? "") as typeof description
  } catch (error) {
    return fail(`its description is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  return readPackedWeights(backend, store, description, known)
}
