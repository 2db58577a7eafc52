/**
 * The entries of one quantized weight in the reference's layout:
 *
 *   embedding, head   weight f16 [V H / g, g], scale [V H / g, 1]; zero point 7
 *   Linear            quant_weights i8 [out in / g, g] row-major; quant_layer_scale i8 [R / qq, qq] and quant_layer_zeros
 *                     i8 [R, 1] in order r = j out + o; quant_layer_scale_qq_scale and ..._qq_zero f32 [R / qq, 1]
 *
 * where a scale is qq_scale (code - qq_zero). Metadata `quantizer` says what made the codes, which the layout leaves open.
 */
import { bytesOf, decodeFloats, encodeFloats, fileDtype, type Pieces, type Safetensors } from "@speedq/formats"
import {
  type BilevelConfig,
  bilevelQuantizer,
  type EmbeddingSym4Config,
  encodeChoice,
  type PackedWeight,
  packWeight,
  type QuantizerChoice,
  unpackBits
} from "@speedq/quantizers"
import { type Backend, noGrad, sizeOf, type Tensor, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { type Difference, differenceOf, exact } from "../exporter/Difference.ts"
import { rowPieces } from "../model/numberRows.ts"
import { storedBytes, storedParts } from "../packed/storedBytes.ts"

interface DetailEntries {
  readonly entries: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
  /** How far weights are as they are read again. */
  readonly difference: Difference
}

type Stored = ReadonlyMap<string, Uint8Array | Float32Array>

/** The stored tensors of a packed weight, codes unpacked. */
const readStored = async (weight: PackedWeight): Promise<Stored> => {
  const stored = new Map<string, Uint8Array | Float32Array>()
  for (const part of storedParts(weight)) {
    const bytes = await storedBytes(weight, part.name)
    const dtype = fileDtype[part.dtype] as "F16" | "BF16" | "F32"
    stored.set(
      part.name,
      part.dtype === "u8" ? unpackBits(bytes, part.bits, sizeOf(part.shape)) : decodeFloats(dtype, bytes)
    )
  }
  return stored
}

const source = (
  name: string,
  dtype: Safetensors.TensorSource["dtype"],
  shape: readonly number[],
  bytes: Pieces
): Safetensors.TensorSource => ({ name, dtype, shape, data: Effect.succeed(bytes) })

/** Codes as f16, some at a time: those of an embedding are many. */
function* inHalfPrecision(codes: Uint8Array | Float32Array): Generator<Uint8Array> {
  for (const { from, to } of rowPieces({ from: 0, to: codes.length }, 1)) {
    yield encodeFloats("F16", new Float32Array(codes.subarray(from, to)))
  }
}

const metadataOf = (choice: QuantizerChoice) => ({ quantizer: JSON.stringify(encodeChoice(choice)) })

const embeddingEntries = (choice: QuantizerChoice, stored: Stored): DetailEntries => {
  const { group, scale: format } = choice.config as EmbeddingSym4Config
  const [codes, scale] = [stored.get("codes")!, stored.get("scale")! as Float32Array]
  const scaleDtype = fileDtype[format] as "F16" | "F32"
  return {
    entries: [
      source("weight", "F16", [codes.length / group, group], inHalfPrecision(codes)),
      source("scale", scaleDtype, [scale.length, 1], encodeFloats(scaleDtype, scale))
    ],
    metadata: metadataOf(choice),
    difference: exact
  }
}

/** The second level as the reference writes it. Ours in f16 is origin + step code: origin / -step is its zero point, rounded to f32. */
const asReference = (stored: Stored, scaleGroup: number): Stored => {
  const [step, origin] = [stored.get("step")!, stored.get("origin")!].map((values) => Float32Array.from(values)) as [
    Float32Array,
    Float32Array
  ]
  const scaleCodes = Uint8Array.from(stored.get("scaleCodes")!)
  for (let i = 0; i < step.length; i++) {
    if (step[i] === 0) {
      // All scales of the group are equal: the step is that scale, 1 above the zero point.
      step[i] = origin[i]!
      origin[i] = -1
      scaleCodes.fill(0, i * scaleGroup, (i + 1) * scaleGroup)
    } else origin[i] = -origin[i]! / step[i]!
  }
  return new Map([...stored, ["step", step], ["origin", origin], ["scaleCodes", scaleCodes]])
}

/** How far a weight is from the one that these stored tensors make. */
const differenceFrom = async (
  layer: string,
  weight: PackedWeight,
  choice: QuantizerChoice,
  stored: Stored
): Promise<Difference> => {
  const before = noGrad(() => weight.unpack())
  const { backend }: { readonly backend: Backend } = before
  const tensors: { [name: string]: Tensor } = {}
  let again: PackedWeight | undefined
  try {
    for (const { name, dtype, shape } of choice.quantizer.stored(choice.config, weight.shape)) {
      tensors[name] = tensor(backend, stored.get(name)!, shape, dtype)
    }
    again = await packWeight(layer, choice, weight.shape, tensors)
    const after = noGrad(() => again!.unpack())
    const difference = differenceOf(await before.read(), await after.read())
    after.release()
    return difference
  } finally {
    for (const each of [before, ...Object.values(tensors)]) each.release()
    again?.release()
  }
}

/** Entries of a layer that `detailPaths` has a place for. */
export const detailEntries = async (layer: string, weight: PackedWeight): Promise<DetailEntries> => {
  const { choice } = weight
  const stored = await readStored(weight)
  if (choice.quantizer.id !== bilevelQuantizer.id) return embeddingEntries(choice, stored)
  const config = choice.config as BilevelConfig
  const isStored = config.secondLevel === "f32"
  const written: QuantizerChoice = { ...choice, config: { ...config, secondLevel: "f32" } }
  const kept = isStored ? stored : asReference(stored, config.scaleGroup)
  const codes = kept.get("codes")!
  const [zeros, scales] = [kept.get("zeros")!, kept.get("scaleCodes")!]
  const groups = zeros.length / config.scaleGroup
  const floats = (name: string) => bytesOf(kept.get(name) as Float32Array)
  const integers = (values: Uint8Array | Float32Array) => bytesOf(Int8Array.from(values))
  return {
    entries: [
      source("quant_weights", "I8", [codes.length / config.group, config.group], integers(codes)),
      source("quant_layer_scale", "I8", [groups, config.scaleGroup], integers(scales)),
      source("quant_layer_zeros", "I8", [zeros.length, 1], integers(zeros)),
      source("quant_layer_scale_qq_scale", "F32", [groups, 1], floats("step")),
      source("quant_layer_scale_qq_zero", "F32", [groups, 1], floats("origin"))
    ],
    metadata: metadataOf(written),
    difference: isStored ? exact : await differenceFrom(layer, weight, written, kept)
  }
}
