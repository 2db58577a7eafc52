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
  type Activations,
  type Backend,
  cast,
  formatShape,
  gatherCodes,
  gatherRows,
  generate,
  keep,
  noGrad,
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
import { packBits, packedBytes } from "./BitPacking.ts"
import { type PackedCodes, packedCodes } from "./packedCodes.ts"

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
  /** Bytes of its stored form. */
  readonly bytes: number
  /** The weight [out, in] in f32, in the caller's scope: the bits of the quantizer's `fakeQuantize`. */
  readonly unpack: () => Tensor
  /** Rows of it alone, where its quantizer is rowwise: index i32 [n] -> f32 [n, in], in the caller's scope. */
  readonly unpackRows: ((index: Tensor) => Tensor) | undefined
  /**
   * x W^T + bias by the codes themselves, where that is less work than unpacking them (`prefersCodes`), and for a quantizer whose codes
   * are affine; otherwise undefined. The product with the unpacked weight, sums in another order; `activations` int8 rounds x of
   * `fewRowsOfCodes` rows at most before.
   */
  readonly linear: (x: Tensor, bias: Tensor | undefined, activations?: Activations) => Tensor | undefined
  /** Makes ready for `linear` what its first call would, where there is more memory now than then. */
  readonly prepare: () => void
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
  /** In the caller's scope. */
  readonly packed: () => Tensor
  /** The same for rows of it. */
  readonly ofRows: () => Tensor
}

type Read = (part: Part) => Tensor

/** The stored tensor that packed bytes stand for, as the quantizer reads it. */
const widen: Read = ({ part, packed }) => {
  if (part.dtype === "u8") return unpackCodes(packed(), part.bits, part.shape)
  return part.dtype === "f32" ? packed() : cast(packed(), "f32")
}

/** Rows of a stored tensor, as the quantizer reads them. */
const gather = ({ part: { dtype, shape, bits }, ofRows }: Part, index: Tensor): Tensor => {
  const [rows, columns] = shape as readonly [number, number]
  return dtype === "u8" ? gatherCodes(ofRows(), index, { bits, rows, columns }) : gatherRows(ofRows(), index)
}

const readParts = (parts: readonly Part[], read: Read): QuantizedWeight =>
  Object.fromEntries(parts.map((each) => [each.part.name, read(each)] as const))

const partOf = (part: StoredTensor, tensor: Tensor): Part => ({
  part,
  packed: () => tensor.alias(),
  ofRows: () => tensor
})

/** Takes over packed tensors, one for each of the quantizer's stored ones. */
const hold = (choice: QuantizerChoice, shape: Shape, held: readonly Tensor[]): PackedWeight => {
  const { quantizer, config } = choice
  const { backend } = held[0]!
  const bytes = held.reduce((sum, { storage }) => sum + storage.handle.bytes, 0)
  const stored = quantizer.stored(config, shape)
  const at = stored.findIndex(({ name }) => name === "codes")
  const extents = quantizer.affine?.extents(config)
  const alone = at >= 0 && stored.length === 2 && extents?.commonZero !== undefined
  const taken = alone ? [0, 1] : [at]
  const scale = alone ? held[1 - at] : undefined
  const readOthers = (): QuantizedWeight => readParts(others, widen)
  const codes: PackedCodes | undefined =
    at < 0 ? undefined : packedCodes(choice, shape, { codes: held[at]!, scale }, readOthers)
  const formAt = (index: number) => (index === at ? codes?.stream : alone ? codes?.scale : undefined)
  const parts = stored.map((part, index): Part => ({ ...partOf(part, held[index]!), ...formAt(index) }))
  const codesPart: Part | undefined = parts[at]
  const others: readonly Part[] = parts.filter((each) => each !== codesPart)
  const decode = (read: Read, decoded: Shape) =>
    scope(() => quantizer.dequantize(config, readParts(parts, read), decoded))
  return {
    shape,
    choice,
    backend,
    affine: extents &&
      codesPart && {
        ...extents,
        codes: () => scope(() => widen(codesPart)),
        grid: () => scope(() => quantizer.affine!.decoder(config, readOthers(), shape))
      },
    linear: (x, bias, activations = "f32") => codes?.linear(x, bias, activations),
    prepare: () => codes?.lay(),
    bytes,
    unpack: () => decode(widen, shape),
    unpackRows: quantizer.rowwise
      ? (index) => decode((each) => gather(each, index), [index.size, shape[1]!])
      : undefined,
    entries: (layer) =>
      parts.map(({ part, packed }) => ({
        name: entryName(layer, part),
        dtype: fileDtype[part.dtype],
        shape: packedShape(part),
        data: Effect.promise(async () => {
          const tensor = noGrad(packed)
          try {
            // A view of the memory of a tensor that may have been made for this, and goes.
            return (await backend.read(tensor.storage.handle)).slice()
          } finally {
            tensor.release()
          }
        })
      })),
    release: () => {
      codes?.release()
      for (const [index, tensor] of held.entries()) if (!taken.includes(index)) tensor.release()
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
