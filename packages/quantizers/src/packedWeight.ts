/**
 * The packed form of a quantized weight: each stored tensor of its quantizer (`Quantizer.stored`) as one safetensors entry
 * `<parameter>.<name>`. Elements below 8 bits are a little-endian bit stream of U8, [ceil(count bits / 8)]; f16 and f32
 * numbers keep dtype and shape. What it was quantized with is in the file's metadata (packedContainer.ts).
 */
import { bytesOf, type Safetensors, type TensorStore } from "@speedq/formats"
import { type Backend, cast, generate, type Shape, scope, type Tensor, unpackCodes } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { packBits, packedBytes } from "./BitPacking.ts"
import type { QuantizedWeight, QuantizerChoice, StoredTensor } from "./Quantizer.ts"

const fileDtype = { f32: "F32", bf16: "BF16", f16: "F16", u8: "U8", i32: "I32" } as const

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1)

/** Shape of a stored tensor in the file. */
const fileShape = ({ dtype, shape, bits }: StoredTensor): Shape =>
  dtype === "u8" ? [packedBytes(sizeOf(shape), bits)] : shape

/** Bytes of one stored tensor as the file has them. */
const encode = async (stored: StoredTensor, tensor: Tensor): Promise<Uint8Array> => {
  if (stored.dtype === "u8") {
    const codes = await tensor.read()
    return packBits(Uint8Array.from(codes), stored.bits)
  }
  const inFile = scope(() => (tensor.dtype === stored.dtype ? tensor.alias() : cast(tensor, stored.dtype as "f16")))
  const bytes = bytesOf(await inFile.read())
  inFile.release()
  return bytes
}

/** File entries of one quantized parameter; the bytes are made when they are written. */
export const packedEntries = (
  parameter: string,
  { quantizer, config }: QuantizerChoice,
  shape: Shape,
  quantized: QuantizedWeight
): readonly Safetensors.TensorSource[] =>
  quantizer.stored(config, shape).map((stored) => ({
    name: `${parameter}.${stored.name}`,
    dtype: fileDtype[stored.dtype],
    shape: fileShape(stored),
    data: Effect.promise(() => encode(stored, quantized[stored.name]!))
  }))

/** A packed parameter in the backend's memory: as small as in the file, unpacked when it is asked for. */
export interface PackedWeight {
  readonly shape: Shape
  readonly choice: QuantizerChoice
  /** Bytes held. */
  readonly bytes: number
  /** The weight [out, in] in f32, in the caller's scope. */
  readonly unpack: () => Tensor
  readonly release: () => void
}

/** Reads one packed parameter. Raises the read errors of formats. */
export const readPackedWeight = (
  backend: Backend,
  store: TensorStore,
  parameter: string,
  choice: QuantizerChoice,
  shape: Shape
): PackedWeight => {
  const { quantizer, config } = choice
  const stored = quantizer.stored(config, shape)
  const held = stored.map((part) => {
    const spec = { dtype: part.dtype, shape: fileShape(part) }
    return generate(backend, spec, (bytes) => store.readInto(`${parameter}.${part.name}`, bytes))
  })
  const widen = (part: StoredTensor, tensor: Tensor): Tensor => {
    if (part.dtype !== "u8") return part.dtype === "f32" ? tensor.alias() : cast(tensor, "f32")
    return unpackCodes(tensor, part.bits, part.shape)
  }
  return {
    shape,
    choice,
    bytes: held.reduce((sum, { storage }) => sum + storage.handle.bytes, 0),
    unpack: () =>
      scope(() => {
        const parts = stored.map((part, index) => [part.name, widen(part, held[index]!)] as const)
        return quantizer.dequantize(config, Object.fromEntries(parts), shape)
      }),
    release: () => {
      for (const tensor of held) tensor.release()
    }
  }
}
