/**
 * The weights that the reference's save_fake_quant writes (docs/method.md, "The reference's files"), as packed weights
 * of this program:
 *
 *   embed_tokens/embed_tokens, lm_head/lm_head   {weight: codes [V H / 32, 32], scale [V H / 32, 1]}, zero point 7
 *   not_quantized_weights.pt                     every parameter that was not quantized, by name
 *   {i}/{module path}                            {quant_weights [out in / g, g] row-major, quant_layer_scale [R / qq, qq] and
 *                                                quant_layer_zeros [R, 1] in order r = j out + o, and the second level [R / qq, 1]}
 *
 * A safetensors file in which metadata `quantizer` names the choice is read by that.
 * Layers are numbered through: those of the language model first, then the blocks of the vision tower.
 */
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { embeddingPaths, releasePacked, releaseParameters } from "@speedq/exports"
import { layerOf, parameterOf } from "@speedq/formats"
import {
  bilevel,
  bilevelQuantizer,
  embeddingSym4,
  embeddingSym4Quantizer,
  type PackedWeight,
  type PackedWeights,
  packWeight,
  type Quantizer,
  type QuantizerChoice,
  readChoice,
  WrittenChoice
} from "@speedq/quantizers"
import { type Backend, formatShape, type Parameters, scope, sizeOf, type Tensor, tensor } from "@speedq/tensors"
import { decoderLayerName, type ModelConfig, modelTensors, visionBlockName } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"
import { TorchFileInvalid } from "../torch/TorchFileInvalid.ts"
import { type DetailFile, type DetailTensor, readFinite, using } from "./detailFiles.ts"
import { loadDetailParameters } from "./loadDetailParameters.ts"

interface QuantDetails {
  readonly packed: PackedWeights
  /** Parameters that were not quantized. */
  readonly others: Parameters
  /** Parameters that the artefacts do not hold: the vision tower's Linears, when it was not quantized with the rest. */
  readonly missing: readonly string[]
}

export interface ReadDetailsOptions {
  /** Format that dequantization is rounded to after every operation: "bf16" as the reference's, or f32. */
  readonly arithmetic?: "bf16" | "f32"
}

const notQuantized = "not_quantized_weights"
const endings = ["", ".safetensors", ".pt", ".pth"]

/** The artefact of a name, whatever its ending; undefined where there is none. */
const findFile = (directory: string, name: string): string | undefined =>
  endings.map((ending) => join(directory, name + ending)).find((file) => existsSync(file) && statSync(file).isFile())

/** The directory of artefacts: the one given, or its `quant_details`; undefined where neither is one. */
export const detailsDirectory = (path: string): string | undefined =>
  [path, join(path, "quant_details")].find((directory) => findFile(directory, notQuantized) !== undefined)

const invalid = (file: string, reason: string): never => {
  throw new TorchFileInvalid({ file, reason })
}

const entry = (file: DetailFile, name: string): DetailTensor =>
  file.tensors.get(name) ?? invalid(file.path, `it has no "${name}"; it has ${[...file.tensors.keys()].join(", ")}`)

/** A stored tensor of codes, whole numbers below 2^bits. */
const codesTensor = (
  backend: Backend,
  path: string,
  numbers: ArrayLike<number>,
  bits: number,
  shape: readonly number[]
) => {
  if (numbers.length !== sizeOf(shape)) {
    return invalid(path, `it holds ${numbers.length} codes where ${formatShape(shape)} are wanted`)
  }
  const codes = new Uint8Array(numbers.length)
  for (let i = 0; i < codes.length; i++) {
    const code = numbers[i]!
    if (!(Number.isInteger(code) && code >= 0 && code < 2 ** bits)) {
      return invalid(path, `code ${i} is ${code}, not a whole number from 0 to ${2 ** bits - 1}`)
    }
    codes[i] = code
  }
  return tensor(backend, codes, shape, "u8")
}

/** Numbers of the entry `name`, in the shape that packed weights have them in. Raises TensorNotFinite. */
const floats = (backend: Backend, file: DetailFile, name: string, shape: readonly number[]): Tensor =>
  tensor(backend, readFinite(file, name, entry(file, name)), shape)

/** Packs the tensors that `make` allocates, and releases them. */
const pack = async (
  name: string,
  choice: QuantizerChoice,
  shape: readonly number[],
  make: () => { readonly [name: string]: Tensor }
): Promise<PackedWeight> => {
  const stored = scope(make)
  try {
    return await packWeight(name, choice, shape, stored)
  } finally {
    for (const each of Object.values(stored)) each.release()
  }
}

/**
 * What the export "quant-details" says its codes were made with; the reference's own files leave that open. Raises TorchFileInvalid
 * where it is another quantizer, or its options are not what the entries show.
 */
const statedChoice = <C extends object>(
  { path, metadata }: DetailFile,
  quantizer: Quantizer<C>,
  shown: Partial<C>
): QuantizerChoice<C> | undefined => {
  const stated = metadata?.["quantizer"]
  if (stated === undefined) return undefined
  const { quantizer: named, config } = readChoice(path, decodeWritten(stated))
  const found = { ...config } as C
  const differs = Object.entries(shown).some(([name, value]) => found[name as keyof C] !== value)
  if (named.id === quantizer.id && !differs) return { quantizer, config: found }
  const wanted = `${quantizer.id} with ${JSON.stringify(shown)}`
  return invalid(path, `its metadata names ${named.id} with ${JSON.stringify(config)}, its entries are ${wanted}`)
}
const decodeWritten = Schema.decodeUnknownSync(Schema.fromJsonString(WrittenChoice))

/** Embedding or head: symmetric, 4 bits, f16 scales. */
const readEmbedding = (backend: Backend, name: string, path: string, shape: readonly number[]): Promise<PackedWeight> =>
  using(path, (file) => {
    const [weight, scale] = [entry(file, "weight"), entry(file, "scale")]
    const group = weight.shape.at(-1)!
    const [rows, columns] = shape as readonly [number, number]
    const groups = (rows * columns) / group
    if (sizeOf(weight.shape) !== sizeOf(shape) || sizeOf(scale.shape) !== groups || columns % group !== 0) {
      const found = `${formatShape(weight.shape)} with scales ${formatShape(scale.shape)}`
      return invalid(path, `it holds ${found}, config.json makes the matrix ${formatShape(shape)}`)
    }
    const choice = statedChoice(file, embeddingSym4Quantizer, { group }) ?? embeddingSym4({ group })
    return pack(name, choice, shape, () => ({
      codes: codesTensor(backend, path, weight.read(), 4, shape),
      scale: floats(backend, file, "scale", [rows, columns / group])
    }))
  })

/** The fewest bits that the bilevel quantizer has for these codes. */
const bitsFor = (largest: number): 2 | 3 | 4 => (largest < 4 ? 2 : largest < 8 ? 3 : 4)

const largestOf = (numbers: ArrayLike<number>): number => {
  let largest = 0
  for (let i = 0; i < numbers.length; i++) largest = Math.max(largest, numbers[i]!)
  return largest
}

/** Codes of one Linear as they are stored, and what its group sizes are. */
interface LinearFile {
  readonly name: string
  readonly path: string
  readonly group: number
  readonly largest: number
}

const inspectLinear = (name: string, path: string): LinearFile =>
  using(path, (file) => {
    const codes = entry(file, "quant_weights")
    return { name, path, group: codes.shape.at(-1)!, largest: largestOf(codes.read()) }
  })

const readLinear = (
  backend: Backend,
  { name, path, group }: LinearFile,
  inferred: 2 | 3 | 4,
  shape: readonly number[],
  arithmetic: "bf16" | "f32"
): Promise<PackedWeight> =>
  using(path, (file) => {
    const codes = entry(file, "quant_weights")
    const scales = entry(file, "quant_layer_scale")
    const zeros = entry(file, "quant_layer_zeros")
    const [rows, columns] = shape as readonly [number, number]
    const [groups, scaleGroup] = [columns / group, scales.shape.at(-1)!]
    const scaleGroups = (groups * rows) / scaleGroup
    if (sizeOf(codes.shape) !== sizeOf(shape) || !Number.isInteger(groups) || !Number.isInteger(scaleGroups)) {
      const found = `${formatShape(codes.shape)} with scales ${formatShape(scales.shape)}`
      return invalid(path, `it holds ${found}, config.json makes the matrix ${formatShape(shape)}`)
    }
    const stated = statedChoice(file, bilevelQuantizer, { group, scaleGroup, secondLevel: "f32" })
    const choice =
      stated ?? bilevel({ bits: inferred, group, scaleGroup, secondLevel: "f32", commonScale: "reference", arithmetic })
    const { bits } = choice.config
    return pack(name, choice, shape, () => ({
      codes: codesTensor(backend, path, codes.read(), bits, shape),
      zeros: codesTensor(backend, path, zeros.read(), bits, [groups, rows]),
      scaleCodes: codesTensor(backend, path, scales.read(), 4, [groups, rows]),
      step: floats(backend, file, "quant_layer_scale_qq_scale", [scaleGroups]),
      origin: floats(backend, file, "quant_layer_scale_qq_zero", [scaleGroups])
    }))
  })

/** Every Linear's file, by layer. */
const findLinears = (directory: string, config: ModelConfig): readonly LinearFile[] => {
  const numbered = readdirSync(directory).filter((name) => /^\d+$/.test(name))
  const files = numbered.flatMap((number) =>
    readdirSync(join(directory, number)).map((file) => {
      const module = file.replace(/\.(safetensors|pth?)$/, "")
      return {
        number: Number(number),
        module,
        path: join(directory, number, file),
        vision: /^(attn|mlp\.fc)/.test(module)
      }
    })
  )
  const languageLayers = files.some(({ vision }) => !vision) ? config.llm_config.num_hidden_layers : 0
  return files
    .sort((a, b) => a.number - b.number || (a.module < b.module ? -1 : 1))
    .map(({ number, module, path, vision }) => {
      const layer = vision ? visionBlockName(number - languageLayers) : decoderLayerName(number)
      return inspectLinear(`${layer}.${module}`, path)
    })
}

/**
 * Reads the artefacts in `directory` for a model of `config`. Raises TorchFileInvalid, TensorNotFinite, SafetensorsInvalid, FileFailed;
 * nothing stays allocated then.
 */
export const readQuantDetails = async (
  backend: Backend,
  config: ModelConfig,
  directory: string,
  { arithmetic = "bf16" }: ReadDetailsOptions = {}
): Promise<QuantDetails> => {
  const shapes = modelTensors(config)
  const shapeOf = (layer: string, path: string) =>
    shapes.get(parameterOf(layer)) ?? invalid(path, `the model has no parameter "${parameterOf(layer)}"`)
  const othersFile = findFile(directory, notQuantized) ?? invalid(directory, `it has no ${notQuantized}.pt`)
  const linears = findLinears(directory, config)
  // A layer may happen not to use its highest code: bits are those that all layers of one group size need.
  const largest = new Map<number, number>()
  for (const each of linears) largest.set(each.group, Math.max(each.largest, largest.get(each.group) ?? 0))

  const packed = new Map<string, PackedWeight>()
  let others: Parameters = {}
  try {
    for (const [name, file] of embeddingPaths(config)) {
      const path = findFile(directory, file)
      if (path !== undefined) packed.set(name, await readEmbedding(backend, name, path, shapeOf(name, path)))
    }
    for (const linear of linears) {
      const bits = bitsFor(largest.get(linear.group)!)
      packed.set(linear.name, await readLinear(backend, linear, bits, shapeOf(linear.name, linear.path), arithmetic))
    }
    others = using(othersFile, (file) => loadDetailParameters(backend, file, shapes))
    const missing = [...shapes.keys()].filter((name) => !packed.has(layerOf(name)) && others[name] === undefined)
    return { packed, others, missing }
  } catch (error) {
    releasePacked(packed)
    releaseParameters(others)
    throw error
  }
}
