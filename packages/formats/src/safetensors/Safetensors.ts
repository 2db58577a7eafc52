/** Safetensors files and models as scoped resources: the effects over the synchronous stores, and the writers. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isOpenError, isReadError, type OpenError, type ReadError } from "../Errors.ts"
import { attempt } from "../internal/attempt.ts"
import { openFileSync } from "./SafetensorsFile.ts"
import { openModelSync } from "./SafetensorsModel.ts"
import type { Range, TensorInfo, TensorStore } from "./TensorStore.ts"

/** Tensors on disk, open as long as the scope is. */
export interface Safetensors {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  /** Every tensor by name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** Reads a tensor, or rows or bytes of it, into new memory. */
  readonly read: (name: string, range?: Range) => Effect.Effect<Uint8Array, ReadError>
  /** Reads a tensor, or rows or bytes of it, into `target`, which must be of that size and may lie in shared or WebAssembly memory. */
  readonly readInto: (name: string, target: Uint8Array, range?: Range) => Effect.Effect<void, ReadError>
  /** The same store for numeric code: plain functions that throw the same errors. */
  readonly store: TensorStore
}

const scoped = (open: () => TensorStore): Effect.Effect<Safetensors, OpenError, Scope.Scope> =>
  Effect.acquireRelease(attempt(isOpenError, open), (store) => Effect.sync(() => store.close())).pipe(
    Effect.map((store) => ({
      path: store.path,
      metadata: store.metadata,
      tensors: store.tensors,
      read: (name, range) => attempt(isReadError, () => store.read(name, range)),
      readInto: (name, target, range) => attempt(isReadError, () => store.readInto(name, target, range)),
      store
    }))
  )

/** Opens one safetensors file. */
export const open = (path: string): Effect.Effect<Safetensors, OpenError, Scope.Scope> =>
  scoped(() => openFileSync(path))

/** Opens a model: a directory of the hub's layout, a safetensors file, or an index of shards. */
export const openModel = (path: string): Effect.Effect<Safetensors, OpenError, Scope.Scope> =>
  scoped(() => openModelSync(path))

export { openFileSync as openSync } from "./SafetensorsFile.ts"
export { openModelSync, shardsOf } from "./SafetensorsModel.ts"
export { type TensorSource, type WriteOptions, write } from "./write.ts"
export { type WriteModelOptions, writeModel } from "./writeModel.ts"
