/**
 * The packed form of a quantized weight: each stored tensor of its quantizer (`Quantizer.stored`) as one safetensors entry
 * `<layer>.weight.<name>`. Elements below 8 bits are a little-endian bit stream of U8, [ceil(count bits / 8)]; f16, bf16 and
 * f32 numbers keep dtype and shape. What it was quantized with is in the file's metadata (packedContainer.ts).
 */
import {
  bytesOf,
  countNonFinite,
  decodeFloats,
  fileDtype,
  largestMagnitude,
  parameterOf,
  type Safetensors,
  type TensorStore
} from "@speedq/formats"
import {
  type Backend,
  cast,
  formatShape,
  gatherCodes,
  gatherRows,
  generate,
  keep,
  type Shape,
  sameShape,
  scope,
  sizeOf,
  type Tensor,
  unpackCodes
} from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { PackedInvalid, ScaleNotFinite } from "../Errors.ts"
import type { AffineExtents, QuantizedWeight, QuantizerChoice, StoredTensor } from "../quantizer/Quantizer.ts"
import { affineProduct } from "./affineProduct.ts"
import { packBits, packedBytes } from "./BitPacking.ts"

/** The codes of a weight [out, in], and what they stand for: a code c for scale (c - zero), each operation in f32. */
export interface AffineWeight extends AffineExtents {
  /** u8 [out, in], in the caller's scope. */
  readonly codes: () => Tensor
  /** Of every group, f32 [out, in / g], in the caller's scope. */
  readonly grid: () => { readonly scale: Tensor; readonly zero: Tensor }
}

/** A quantized parameter in the backend's memory, as small as in the file: unpacked when it is asked for. */
export interface PackedWeight {
  /** [out, in] */
  readonly shape: Shape
  readonly choice: QuantizerChoice
  /** Where it is held. */
  readonly backend: Backend
  /** Bytes held. */
  readonly bytes: number
  /** The weight [out, in] in f32, in the caller's scope: the bits of the quantizer's `fakeQuantize`. */
  readonly unpack: () => Tensor
  /** Rows of it alone, where its quantizer is rowwise: index i32 [n] -> f32 [n, in], in the caller's scope. */
  readonly unpackRows: ((index: Tensor) => Tensor) | undefined
  /**
   * x W^T + bias by the codes themselves, where that is less work than unpacking them: `fewRows` rows of x at most, and a
   * quantizer whose codes are affine. The bits of `linear` with the unpacked weight, on the native backend; otherwise undefined.
   */
  readonly linear: (x: Tensor, bias: Tensor | undefined) => Tensor | undefined
  /** Its codes, for formats that keep them; undefined for a quantizer whose codes are not affine. */
  readonly affine: AffineWeight | undefined
  /** Entries of a file, `<layer>.weight.<stored tensor>`. */
  readonly entries: (layer: string) => readonly Safetensors.TensorSource[]
  readonly release: () => void
}

/** Name of a stored tensor in the file. */
const entryName = (layer: string, part: StoredTensor): string => `${parameterOf(layer)}.${part.name}`

/** Shape of a stored tensor in the file and in memory. */
const packedShape = ({ dtype, shape, bits }: StoredTensor): Shape =>
  dtype === "u8" ? [packedBytes(sizeOf(shape), bits)] : shape

const storedPartBytes = ({ shape, bits }: StoredTensor): number => packedBytes(sizeOf(shape), bits)

/** A stored tensor, packed. */
interface Part {
  readonly part: StoredTensor
  readonly tensor: Tensor
}

type Read = (part: Part) => Tensor

/** The stored tensor that packed bytes stand for, as the quantizer reads it. */
const widen: Read = ({ part, tensor }) => {
  if (part.dtype === "u8") return unpackCodes(tensor, part.bits, part.shape)
  return part.dtype === "f32" ? tensor.alias() : cast(tensor, "f32")
}

/** Rows of a stored tensor, as the quantizer reads them. */
const gather = ({ part: { dtype, shape, bits }, tensor }: Part, index: Tensor): Tensor => {
  const [rows, columns] = shape as readonly [number, number]
  return dtype === "u8" ? gatherCodes(tensor, index, { bits, rows, columns }) : gatherRows(tensor, index)
}

const readParts = (parts: readonly Part[], read: Read): QuantizedWeight =>
  Object.fromEntries(parts.map((each) => [each.part.name, read(each)] as const))

/** Takes over packed tensors, one for each of the quantizer's stored ones. */
const hold = (choice: QuantizerChoice, shape: Shape, held: readonly Tensor[]): PackedWeight => {
  const { quantizer, config } = choice
  const parts = quantizer.stored(config, shape).map((part, index): Part => ({ part, tensor: held[index]! }))
  const decode = (read: Read, decoded: Shape) =>
    scope(() => quantizer.dequantize(config, readParts(parts, read), decoded))
  const codes = parts.find(({ part }) => part.name === "codes")
  const others = parts.filter((each) => each !== codes)
  const product = codes && affineProduct(choice, shape, codes.tensor, () => readParts(others, widen))
  const extents = quantizer.affine?.extents(config)
  return {
    shape,
    choice,
    backend: held[0]!.backend,
    affine: extents &&
      codes && {
        ...extents,
        codes: () => widen(codes),
        grid: () => scope(() => quantizer.affine!.decoder(config, readParts(others, widen), shape))
      },
    linear: (x, bias) => product?.linear(x, bias),
    bytes: held.reduce((sum, { storage }) => sum + storage.handle.bytes, 0),
    unpack: () => decode(widen, shape),
    unpackRows: quantizer.rowwise
      ? (index) => decode((each) => gather(each, index), [index.size, shape[1]!])
      : undefined,
    entries: (layer) =>
      parts.map(({ part, tensor }) => ({
        name: entryName(layer, part),
        dtype: fileDtype[part.dtype],
        shape: packedShape(part),
        data: Effect.promise(() => tensor.backend.read(tensor.storage.handle))
      })),
    release: () => {
      product?.release()
      for (const tensor of held) tensor.release()
    }
  }
}

/** Bytes of one stored tensor in packed form. */
const packedForm = async (part: StoredTensor, tensor: Tensor): Promise<Uint8Array> => {
  if (part.dtype === "u8") {
    const codes = await tensor.read()
    return packBits(codes instanceof Uint8Array ? codes : new Uint8Array(codes), part.bits)
  }
  if (part.dtype === tensor.dtype || part.dtype === "i32") return bytesOf(await tensor.read())
  const target = part.dtype
  const inFile = scope(() => cast(tensor, target))
  const bytes = bytesOf(await inFile.read())
  inFile.release()
  return bytes
}

/** Raises ScaleNotFinite for packed floats that are no numbers, those that the stored format does not hold among them. */
const checkScales = (layer: string, { quantizer }: QuantizerChoice, part: StoredTensor, packed: Uint8Array): void => {
  const { dtype, name, shape } = part
  if (dtype === "u8" || dtype === "i32") return
  if (Number.isFinite(largestMagnitude(fileDtype[dtype], packed))) return
  const found = countNonFinite(shape, [decodeFloats(fileDtype[dtype], packed)])!
  throw new ScaleNotFinite({ layer, use: quantizer.id, stored: name, ...found })
}

/** A weight of the layer from the packed bytes of each stored tensor. Raises ScaleNotFinite; nothing stays allocated then. */
const holdBytes = (
  backend: Backend,
  layer: string,
  choice: QuantizerChoice,
  shape: Shape,
  packed: readonly Uint8Array[]
): PackedWeight => {
  const parts = choice.quantizer.stored(choice.config, shape)
  for (const [at, part] of parts.entries()) checkScales(layer, choice, part, packed[at]!)
  const held = scope(() =>
    parts.map((part, at) => {
      const spec = { dtype: part.dtype, shape: packedShape(part) }
      return generate(backend, spec, (bytes) => bytes.set(packed[at]!))
    })
  )
  return hold(choice, shape, held.map(keep))
}

/** Packs what a quantizer gave for a weight [out, in], the layer's; `quantized` stays the caller's. Raises ScaleNotFinite. */
export const packWeight = async (
  layer: string,
  choice: QuantizerChoice,
  shape: Shape,
  quantized: QuantizedWeight
): Promise<PackedWeight> => {
  const packed: Uint8Array[] = []
  const parts = choice.quantizer.stored(choice.config, shape)
  for (const part of parts) packed.push(await packedForm(part, quantized[part.name]!))
  return holdBytes(quantized[parts[0]!.name]!.backend, layer, choice, shape, packed)
}

/**
 * Packs a weight [out, in] of a rowwise quantizer, of which `pieces` give some rows after the others, quantized: a multiple of 8 rows each
 * but the last, so that their codes fill whole bytes. They are released here. Raises ScaleNotFinite.
 */
export const packRows = async (
  backend: Backend,
  layer: string,
  choice: QuantizerChoice,
  shape: Shape,
  pieces: AsyncIterable<QuantizedWeight>
): Promise<PackedWeight> => {
  const parts = choice.quantizer.stored(choice.config, shape)
  const packed = parts.map((part) => new Uint8Array(storedPartBytes(part)))
  const filled = parts.map(() => 0)
  for await (const quantized of pieces) {
    try {
      for (const [at, part] of parts.entries()) {
        const bytes = await packedForm(part, quantized[part.name]!)
        packed[at]!.set(bytes, filled[at])
        filled[at]! += bytes.length
      }
    } finally {
      for (const tensor of Object.values<Tensor>(quantized)) tensor.release()
    }
  }
  return holdBytes(backend, layer, choice, shape, packed)
}

/** Raises PackedInvalid when an entry is not what the quantizer stores. A missing one is found by reading. */
const checkEntry = ({ path, tensors }: TensorStore, entry: string, part: StoredTensor): void => {
  const found = tensors.get(entry)
  const dtype = fileDtype[part.dtype]
  const shape = packedShape(part)
  if (found === undefined || (found.dtype === dtype && sameShape(found.shape, shape))) return
  const reason = `${entry} is ${found.dtype} ${formatShape(found.shape)}, it must be ${dtype} ${formatShape(shape)}`
  throw new PackedInvalid({ file: path, reason })
}

/** Reads the packed weight of a layer. Raises PackedInvalid, TensorNotFinite and the read errors of formats; nothing stays allocated then. */
export const readPackedWeight = (
  backend: Backend,
  store: TensorStore,
  layer: string,
  choice: QuantizerChoice,
  shape: Shape
): PackedWeight => {
  const held = scope(() =>
    choice.quantizer.stored(choice.config, shape).map((part) => {
      const entry = entryName(layer, part)
      checkEntry(store, entry, part)
      const spec = { dtype: part.dtype, shape: packedShape(part) }
      return generate(backend, spec, (bytes) => store.readFiniteInto(entry, bytes))
    })
  )
  return hold(choice, shape, held.map(keep))
}
