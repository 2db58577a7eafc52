/** Tensors on disk, read by ranges and synchronously: one safetensors file, or the shards of a model seen as one. */
import type { DType } from "../numbers/DType.ts"

/** Where and what a tensor is. `byteOffset` counts from the beginning of the file that holds it. */
export interface TensorInfo {
  readonly dtype: DType
  /** Row-major sizes, [] for a scalar. */
  readonly shape: ReadonlyArray<number>
  readonly byteOffset: number
  readonly byteLength: number
}

/** A part of a tensor [begin, end): rows of its first dimension, or bytes. */
export type Range = { readonly rows: readonly [number, number] } | { readonly bytes: readonly [number, number] }

/** Synchronous access to tensors on disk. Every method throws the errors of `ReadError`. */
export interface TensorStore {
  /** The file, or the index of the shards. */
  readonly path: string
  /** The header's `__metadata__`; of shards, what they agree on. */
  readonly metadata: Readonly<Record<string, string>>
  /** Every tensor by name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** Reads a tensor, or a part of it, into new memory. */
  read(name: string, range?: Range): Uint8Array
  /** Reads a tensor, or a part of it, into `target`, which must be of that size and may lie in shared or WebAssembly memory. */
  readInto(name: string, target: Uint8Array, range?: Range): void
  /** `readInto` for weights: throws TensorNotFinite where a float is NaN or infinite. It takes no longer. */
  readFiniteInto(name: string, target: Uint8Array, range?: Range): void
  /** Closes the files; reading afterwards is refused. */
  close(): void
}

/** The names of `names` most like `name`: those that share the longest beginning and end with it. */
export const mostAlike = (name: string, names: Iterable<string>): ReadonlyArray<string> =>
  Array.from(names, (candidate) => ({ candidate, common: commonEnds(name, candidate) }))
    .sort((a, b) => b.common - a.common)
    .slice(0, 3)
    .map(({ candidate }) => candidate)

const commonEnds = (a: string, b: string): number => {
  const shorter = Math.min(a.length, b.length)
  let head = 0
  while (head < shorter && a[head] === b[head]) head++
  let tail = 0
  while (tail < shorter - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  return head + tail
}
