/** Writes safetensors files tensor by tensor: never more than one piece of a tensor is in memory because of it. */
import * as Effect from "effect/Effect"
import { type FileFailed, isSafetensorsInvalid, SafetensorsInvalid, type WriteError } from "../Errors.ts"
import * as AtomicFile from "../files/AtomicFile.ts"
import { appendPieces, type Pieces } from "../files/pieces.ts"
import { attempt } from "../internal/attempt.ts"
import { type Layout, layoutOf, type TensorSpec } from "../internal/header.ts"

/**
 * A tensor to write. `data` runs when the tensor's turn comes (larger element types first, else as declared) and gives its bytes,
 * whole or in pieces; they must come to exactly the size of dtype and shape.
 */
export interface TensorSource<E = never, R = never> extends TensorSpec {
  readonly data: Effect.Effect<Pieces, E, R>
}

/** `metadata` becomes the header's `__metadata__`. */
export interface WriteOptions {
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Writes one file: under a temporary name, flushed, renamed, so that `path` is at every moment the old file or the new one.
 * The same tensors in the same order give the same bytes.
 *
 * @example Safetensors.write("out.safetensors", [{ name: "w", dtype: "F32", shape: [2], data: Effect.succeed(bytesOf(new Float32Array(2))) }])
 */
export const write: <E = never, R = never>(
  path: string,
  tensors: ReadonlyArray<TensorSource<E, R>>,
  options?: WriteOptions
) => Effect.Effect<AtomicFile.Written, WriteError | E, R> = Effect.fn("Safetensors.write")(function* <E, R>(
  path: string,
  tensors: ReadonlyArray<TensorSource<E, R>>,
  options: WriteOptions = {}
) {
  const layout = yield* attempt(isSafetensorsInvalid, () => layoutOf(tensors, options.metadata ?? {}, path))
  const file = yield* AtomicFile.make(path)
  yield* appendTensors(file, layout, path)
  const written = yield* file.seal
  yield* file.publish
  return written
}, Effect.scoped)

/** Appends header and tensors as laid out. */
export const appendTensors = Effect.fnUntraced(function* <E, R>(
  file: AtomicFile.AtomicFile,
  layout: Layout<TensorSource<E, R>>,
  path: string
): Effect.fn.Return<void, FileFailed | SafetensorsInvalid | E, R> {
  yield* file.append(layout.prefix)
  for (const { tensor, byteLength } of layout.placed) {
    const given = yield* appendPieces(file, yield* tensor.data, byteLength)
    if (given !== byteLength) {
      const reason = `its data gave ${given > byteLength ? "at least " : ""}${given} bytes, dtype and shape take ${byteLength}`
      return yield* new SafetensorsInvalid({ file: path, tensor: tensor.name, reason })
    }
  }
})
