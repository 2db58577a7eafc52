/**
 * What the browser keeps for the page (OPFS): parts of models under their digests, so that a download goes on where it stopped and two
 * models share what they have in common, and an index of each model.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ModelIndex, type ModelPart, partsOf } from "../../model/ModelIndex.ts"
import { StorageFull, StorageUnavailable } from "../Errors.ts"

/** The part of the API that workers alone have. */
interface SyncHandle {
  readonly write: (bytes: Uint8Array, options: { readonly at: number }) => number
  readonly truncate: (bytes: number) => void
  readonly flush: () => void
  readonly close: () => void
}
type WorkerFileHandle = FileSystemFileHandle & { readonly createSyncAccessHandle: () => Promise<SyncHandle> }

type StoreError = StorageFull | StorageUnavailable

export interface PartStore {
  /** The part, where all of its bytes are kept. */
  readonly find: (part: ModelPart) => Effect.Effect<File | undefined>
  readonly put: (part: ModelPart, bytes: Uint8Array) => Effect.Effect<File, StoreError>
  readonly readIndex: (key: string) => Effect.Effect<ModelIndex | undefined>
  /** Also removes the parts of the model that the index named before, where none names them any more. */
  readonly writeIndex: (key: string, index: ModelIndex) => Effect.Effect<void, StoreError>
  /** Removes those of the parts that no index names. */
  readonly drop: (parts: readonly ModelPart[]) => Effect.Effect<void, StorageUnavailable>
  /**
   * Works while no other page of this origin works with the part: pages that load the same model would write the same file, and the
   * second one finds what the first has loaded.
   */
  readonly alone: <A, E>(part: ModelPart, work: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Digests of the parts that indexes name. */
  readonly named: Effect.Effect<ReadonlySet<string>>
  /** Removes a model, but for parts that another one has, too. */
  readonly forget: (key: string) => Effect.Effect<void, StorageUnavailable>
  /** Removes all that no index names: what has come of models that were not opened. */
  readonly dropUnnamed: Effect.Effect<void, StorageUnavailable>
}

const folder = "speedq"
const indexPrefix = "index-"

const unavailable = (error: unknown) => new StorageUnavailable({ reason: String(error) })

const isFull = (error: unknown): boolean => error instanceof DOMException && error.name === "QuotaExceededError"

const decodeIndex = Schema.decodeUnknownSync(Schema.fromJsonString(ModelIndex))

const write = async (directory: FileSystemDirectoryHandle, name: string, bytes: Uint8Array): Promise<File> => {
  const handle = (await directory.getFileHandle(name, { create: true })) as WorkerFileHandle
  const file = await handle.createSyncAccessHandle()
  try {
    file.truncate(0)
    for (let at = 0; at < bytes.length; ) {
      const written = file.write(bytes.subarray(at), { at })
      // A full disk may write less instead of raising anything.
      if (written === 0) throw new DOMException("nothing was written", "QuotaExceededError")
      at += written
    }
    file.flush()
  } catch (error) {
    file.close()
    await directory.removeEntry(name)
    throw error
  }
  file.close()
  return handle.getFile()
}

const freeBytes = async (): Promise<number> => {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate()
  return Math.max(0, quota - usage)
}

const storing = (name: string, bytes: number, work: () => Promise<File>): Effect.Effect<File, StoreError> =>
  Effect.tryPromise({ try: work, catch: (error) => error }).pipe(
    // What is written is removed by one who stops it, and must be there by then.
    Effect.uninterruptible,
    Effect.catch(
      Effect.fnUntraced(function* (error): Effect.fn.Return<never, StoreError> {
        if (!isFull(error)) return yield* unavailable(error)
        return yield* new StorageFull({ file: name, needed: bytes, free: yield* Effect.promise(freeBytes) })
      })
    )
  )

/** Works while it has the lock of that name. Interrupted, it waits for the lock no longer, or ends when the work has. */
const locked = <A, E>(name: string, work: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.callback<A, E>((resume, signal) => {
    const ended = navigator.locks
      .request(name, { signal }, () => Effect.runPromiseExit(work, { signal }))
      .then(resume, (error: unknown) => resume(Effect.die(error)))
    return Effect.promise(() => ended)
  })

/** Opens the store, which browsers do not have everywhere. Fails with StorageUnavailable. */
export const openPartStore: Effect.Effect<PartStore, StorageUnavailable> = Effect.gen(function* () {
  const directory = yield* Effect.tryPromise({
    try: async () => (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true }),
    catch: unavailable
  })
  const fileOf = async (name: string): Promise<File | undefined> => {
    try {
      return await (await directory.getFileHandle(name)).getFile()
    } catch {
      return undefined
    }
  }
  const readIndex = (key: string) =>
    Effect.promise(async () => {
      const file = await fileOf(indexPrefix + key)
      if (file === undefined) return undefined
      try {
        return decodeIndex(await file.text())
      } catch {
        // An earlier version of the page wrote it: the model is loaded again.
        return undefined
      }
    })
  const names = async (): Promise<readonly string[]> => {
    const all: string[] = []
    for await (const name of directory.keys()) all.push(name)
    return all
  }
  const named = async (): Promise<ReadonlySet<string>> => {
    const digests = new Set<string>()
    for (const name of await names()) {
      if (!name.startsWith(indexPrefix)) continue
      const index = await Effect.runPromise(readIndex(name.slice(indexPrefix.length)))
      for (const { sha256 } of index === undefined ? [] : partsOf(index)) digests.add(sha256)
    }
    return digests
  }
  const drop = (parts: readonly ModelPart[]) =>
    Effect.tryPromise({
      try: async () => {
        const [wanted, all] = [await named(), new Set(await names())]
        for (const digest of new Set(parts.map(({ sha256 }) => sha256))) {
          if (all.has(digest) && !wanted.has(digest)) await directory.removeEntry(digest)
        }
      },
      catch: unavailable
    })
  return {
    find: (part) =>
      Effect.promise(async () => {
        const file = await fileOf(part.sha256)
        return file?.size === part.bytes ? file : undefined
      }),
    put: (part, bytes) => storing(part.file, bytes.length, () => write(directory, part.sha256, bytes)),
    readIndex,
    writeIndex: Effect.fnUntraced(function* (key, index) {
      const before = yield* readIndex(key)
      const bytes = new TextEncoder().encode(JSON.stringify(index))
      yield* storing("the index", bytes.length, () => write(directory, indexPrefix + key, bytes))
      if (before !== undefined) yield* drop(partsOf(before))
    }),
    drop,
    named: Effect.promise(named),
    alone: (part, work) => locked(`speedq-${part.sha256}`, work),
    forget: Effect.fnUntraced(function* (key) {
      const before = yield* readIndex(key)
      yield* Effect.tryPromise({
        try: async () => {
          if ((await names()).includes(indexPrefix + key)) await directory.removeEntry(indexPrefix + key)
        },
        catch: unavailable
      })
      if (before !== undefined) yield* drop(partsOf(before))
    }),
    dropUnnamed: Effect.tryPromise({
      try: async () => {
        const kept = await named()
        for (const name of await names()) {
          if (!name.startsWith(indexPrefix) && !kept.has(name)) await directory.removeEntry(name)
        }
      },
      catch: unavailable
    })
  }
})
