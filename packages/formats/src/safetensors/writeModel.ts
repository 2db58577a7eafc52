/** Writes a model in the hub's layout: `model.safetensors`, or shards of a largest size and their index. */
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type FileFailed, isSafetensorsInvalid, type WriteError } from "../Errors.ts"
import * as AtomicFile from "../files/AtomicFile.ts"
import { makeDirectories } from "../files/makeDirectories.ts"
import { attempt, attemptOn } from "../internal/attempt.ts"
import { layoutOf, type TensorSpec } from "../internal/header.ts"
import { tensorBytes } from "../numbers/DType.ts"
import { indexName, singleName } from "./SafetensorsModel.ts"
import { appendTensors, type TensorSource, type WriteOptions } from "./write.ts"

/** `maxShardBytes` bounds the tensors' bytes of a file (default 5 GB, as the hub's tools have it); a larger tensor gets a file of its own. */
export interface WriteModelOptions extends WriteOptions {
  readonly maxShardBytes?: number
}

/**
 * Writes a model into `directory` (made when missing), in place of the one there, and gives every file written, the index last.
 * The metadata says `format: "pt"`, which the hub's loaders ask for. Every file is complete and flushed before the first takes its name;
 * until then the previous model is untouched. A power cut in the instant of the renames can leave shards without an index:
 * an error on opening, never a mixture.
 */
export const writeModel: <E = never, R = never>(
  directory: string,
  tensors: ReadonlyArray<TensorSource<E, R>>,
  options?: WriteModelOptions
) => Effect.Effect<ReadonlyArray<AtomicFile.Written>, WriteError | E, R> = Effect.fn("Safetensors.writeModel")(
  function* <E, R>(directory: string, tensors: ReadonlyArray<TensorSource<E, R>>, options: WriteModelOptions = {}) {
    const metadata = { format: "pt", ...options.metadata }
    const shards = yield* attempt(isSafetensorsInvalid, () => {
      // All tensors as one file first: a name may not appear in two shards either.
      layoutOf(tensors, metadata, join(directory, singleName))
      return split(tensors, options.maxShardBytes ?? 5e9).map((shard, i, { length }) => {
        const name = length === 1 ? singleName : `model-${fiveDigits(i + 1)}-of-${fiveDigits(length)}.safetensors`
        return { name, shard, layout: layoutOf(shard, metadata, join(directory, name)) }
      })
    })
    yield* attemptOn(directory)("create", () => makeDirectories(directory))

    const files: Array<AtomicFile.AtomicFile> = []
    const written: Array<AtomicFile.Written> = []
    for (const { name, layout } of shards) {
      const file = yield* AtomicFile.make(join(directory, name))
      yield* appendTensors(file, layout, join(directory, name))
      written.push(yield* file.seal)
      files.push(file)
    }
    const names = shards.map(({ name }) => name)
    if (shards.length > 1) {
      const index = yield* AtomicFile.make(join(directory, indexName))
      yield* index.append(new TextEncoder().encode(indexText(shards)))
      written.push(yield* index.seal)
      files.push(index)
      names.push(indexName)
    }
    yield* Effect.uninterruptible(replaceModel(directory, files, names))
    return written
  },
  Effect.scoped
)

const fiveDigits = (n: number): string => String(n).padStart(5, "0")
const bytesOfTensor = ({ dtype, shape }: TensorSpec): number => tensorBytes(dtype, shape)!

/** Consecutive tensors up to `maxBytes` a shard. */
const split = <T extends TensorSpec>(tensors: ReadonlyArray<T>, maxBytes: number): ReadonlyArray<ReadonlyArray<T>> => {
  if (!(maxBytes > 0)) throw new RangeError(`maxShardBytes is ${maxBytes}, it must be more than 0`)
  const shards: Array<Array<T>> = [[]]
  let filled = 0
  for (const tensor of tensors) {
    const bytes = bytesOfTensor(tensor)
    if (filled > 0 && filled + bytes > maxBytes) {
      shards.push([])
      filled = 0
    }
    shards.at(-1)!.push(tensor)
    filled += bytes
  }
  return shards
}

interface Shard {
  readonly name: string
  readonly shard: ReadonlyArray<TensorSpec>
}

/** The index as the hub's tools write it: names sorted, the size without headers. */
const indexText = (shards: ReadonlyArray<Shard>): string => {
  const entries = shards.flatMap(({ name, shard }) => shard.map((tensor) => [tensor.name, name] as const))
  const total = shards.flatMap(({ shard }) => shard.map(bytesOfTensor)).reduce((sum, bytes) => sum + bytes, 0)
  // Code unit order; written by hand because an object would put names that look like integers first.
  const map = entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([tensor, name]) => `    ${JSON.stringify(tensor)}: ${JSON.stringify(name)}`)
  return `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${map.join(",\n")}\n  }\n}\n`
}

/** Gives the sealed files their names and removes what an earlier model left. */
const replaceModel = Effect.fnUntraced(function* (
  directory: string,
  files: ReadonlyArray<AtomicFile.AtomicFile>,
  names: ReadonlyArray<string>
): Effect.fn.Return<void, FileFailed> {
  const call = attemptOn(directory)
  const remove = (name: string) => call(`remove ${name}`, () => rm(join(directory, name), { force: true }))
  if (files.length > 1) {
    // An old index must not stand over new shards, not even for an instant.
    yield* remove(indexName)
    yield* AtomicFile.flushDirectory(directory)
  }
  for (const file of files) yield* file.publish
  const there = yield* call("list", () => readdir(directory))
  const old = there.filter((name) => modelFile.test(name) && !names.includes(name))
  yield* Effect.forEach(old, remove, { discard: true })
  yield* AtomicFile.flushDirectory(directory)
})

const modelFile = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/
