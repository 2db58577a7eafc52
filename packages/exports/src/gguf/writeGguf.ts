/**
 * Writes GGUF files (version 3) tensor by tensor:
 *
 *   "GGUF", version, number of tensors, number of values
 *   metadata: key, type, value
 *   tensors: name, number of dimensions, dimensions with the columns first, type, place of the data
 *   data of each tensor, at a multiple of 32 bytes from the first
 *
 * Numbers are little-endian. Source: the specification of GGUF in the documentation of ggml.
 */
import { AtomicFile, appendPieces, type FileFailed, type Pieces } from "@speedq/formats"
import { type Shape, sizeOf } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type { BlockType } from "./blocks/BlockType.ts"
import { ByteWriter, type Metadata, writeMetadata } from "./metadata.ts"

export interface GgufTensor<E = never> {
  readonly name: string
  readonly type: BlockType
  /** Rows first, as everywhere here; a row is a whole number of blocks. */
  readonly shape: Shape
  /** Runs when the tensor's turn comes; gives its bytes, whole or in pieces. */
  readonly data: Effect.Effect<Pieces, E>
}

const version = 3
const alignment = 32

/** Bytes of a tensor's blocks. */
export const blockBytes = ({ type, shape }: Pick<GgufTensor, "type" | "shape">): number =>
  (sizeOf(shape) / type.weights) * type.bytes

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

const headerOf = (metadata: Metadata, tensors: readonly GgufTensor<unknown>[]): Uint8Array => {
  const writer = new ByteWriter()
  writer.u32(0x46554747) // "GGUF"
  writer.u32(version)
  writer.u64(tensors.length)
  writer.u64(Object.keys(metadata).length)
  writeMetadata(writer, metadata)
  let place = 0
  for (const tensor of tensors) {
    writer.string(tensor.name)
    writer.u32(tensor.shape.length)
    for (const extent of [...tensor.shape].reverse()) writer.u64(extent)
    writer.u32(tensor.type.id)
    writer.u64(place)
    place += aligned(blockBytes(tensor))
  }
  writer.align(alignment)
  return writer.finish()
}

/** Writes one file, whole or not at all. The same metadata and tensors in the same order give the same bytes. */
export const writeGguf: <E = never>(
  path: string,
  metadata: Metadata,
  tensors: readonly GgufTensor<E>[]
) => Effect.Effect<AtomicFile.Written, FileFailed | E> = Effect.fn("writeGguf")(function* <E>(
  path: string,
  metadata: Metadata,
  tensors: readonly GgufTensor<E>[]
) {
  const file = yield* AtomicFile.make(path)
  yield* file.append(headerOf(metadata, tensors))
  for (const tensor of tensors) {
    const bytes = blockBytes(tensor)
    const given = yield* appendPieces(file, yield* tensor.data, bytes)
    if (given !== bytes) throw new RangeError(`${tensor.name}: ${given} bytes, its type and shape take ${bytes}`)
    yield* file.append(new Uint8Array(aligned(bytes) - bytes))
  }
  const written = yield* file.seal
  yield* file.publish
  return written
}, Effect.scoped)
