/**
 * The packed container: one safetensors file with quantized parameters packed (packedWeight.ts) and all others as they
 * are. Metadata: `format` = "speedq-packed", `version` = "1", `quantized` = JSON { parameter: { use, version, plugin?, with, shape } }.
 */
import { layerOf, parameterOf, parseJson, type Safetensors, type TensorStore } from "@speedq/formats"
import type { Backend } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { PackedInvalid } from "../Errors.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import { readChoice, WrittenChoice } from "../quantizer/readChoice.ts"
import { encodeChoice, quantizers } from "../quantizer/registry.ts"
import { type PackedWeight, readPackedWeight } from "./packedWeight.ts"

const format = "speedq-packed"
const version = "1"

/** Packed weights by layer. */
export type PackedWeights = ReadonlyMap<string, PackedWeight>

/** How weights were quantized, by parameter: JSON that `readPackedWeights` understands. */
export const describePacked = (weights: PackedWeights): { readonly [parameter: string]: object } =>
  Object.fromEntries(
    [...weights].map(([layer, { choice, shape }]) => [parameterOf(layer), { ...encodeChoice(choice), shape }])
  )

/** Entries and metadata of a container, for `Safetensors.write`: packed weights, then `others` as they are. */
export const packedContainer = (
  weights: PackedWeights,
  others: readonly Safetensors.TensorSource[]
): {
  readonly entries: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
} => ({
  entries: [...[...weights].flatMap(([layer, weight]) => weight.entries(layer)), ...others],
  metadata: { format, version, quantized: JSON.stringify(describePacked(weights)) }
})

/** Whether a safetensors file is a packed container. */
export const isPackedContainer = ({ metadata }: Pick<TensorStore, "metadata">): boolean => metadata["format"] === format

/** How one parameter was quantized. */
const Described = Schema.Struct({
  ...WrittenChoice.fields,
  shape: Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))).check(
    Schema.isMinLength(2),
    Schema.isMaxLength(2)
  )
})
const Description = Schema.Record(Schema.String, Described)

const choiceOf = (
  file: string,
  parameter: string,
  described: typeof Described.Type,
  known: readonly Quantizer[]
): QuantizerChoice => {
  const choice = readChoice(file, described, known)
  const obstacle = choice.quantizer.obstacle(choice.config, described.shape)
  if (obstacle !== undefined) throw new PackedInvalid({ file, reason: `${parameter}: ${obstacle}` })
  return choice
}

const decodeDescription = (file: string, description: unknown): typeof Description.Type => {
  try {
    return Schema.decodeUnknownSync(Description)(description)
  } catch (error) {
    if (!Schema.isSchemaError(error)) throw error
    throw new PackedInvalid({ file, reason: `its description of the weights is damaged: ${error.message}` })
  }
}

/**
 * Reads the weights that a description names; of `first`, which is multiplied by few rows at a time, tiles are laid before there are any
 * others: for a moment it is there twice. Raises PackedInvalid, what `readChoice` raises, and read errors; nothing stays
 * allocated then.
 */
export const readPackedWeights = (
  backend: Backend,
  store: TensorStore,
  description: { readonly [parameter: string]: object },
  known: readonly Quantizer[] = quantizers,
  first?: string
): PackedWeights => {
  const weights = new Map<string, PackedWeight>()
  const described = Object.entries(decodeDescription(store.path, description))
  const read = ([parameter, how]: (typeof described)[number]): void => {
    const layer = layerOf(parameter)
    weights.set(layer, readPackedWeight(backend, store, layer, choiceOf(store.path, parameter, how, known), how.shape))
  }
  const isFirst = ([parameter]: (typeof described)[number]) => layerOf(parameter) === first
  try {
    for (const each of described.filter(isFirst)) read(each)
    for (const weight of weights.values()) weight.prepare()
    for (const each of described) if (!isFirst(each)) read(each)
    return new Map(described.map(([parameter]) => [layerOf(parameter), weights.get(layerOf(parameter))!] as const))
  } catch (error) {
    for (const weight of weights.values()) weight.release()
    throw error
  }
}

/** The packed weights of a container; `known` adds a user's own quantizers. Raises what `readPackedWeights` raises. */
export const readPackedContainer = (
  backend: Backend,
  store: TensorStore,
  known: readonly Quantizer[] = quantizers,
  first?: string
): PackedWeights => {
  const fail = (reason: string): never => {
    throw new PackedInvalid({ file: store.path, reason })
  }
  if (!isPackedContainer(store)) return fail(`it is no ${format} container`)
  const written = store.metadata["version"]
  if (written !== version) return fail(`version ${written}, this program reads ${version}`)
  return readPackedWeights(backend, store, parseDescription(store), known, first)
}

const parseDescription = ({ path, metadata }: TensorStore): { readonly [parameter: string]: object } => {
  try {
    return parseJson(metadata["quantized"] ?? "") as { readonly [parameter: string]: object }
  } catch (error) {
    const reason = `its description is not JSON: ${error instanceof Error ? error.message : String(error)}`
    throw new PackedInvalid({ file: path, reason })
  }
}
