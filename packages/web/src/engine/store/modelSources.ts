/** The models that a page can open, beside it, of files, or kept before: what is found of them, how they come, and what removes them. */
import * as Effect from "effect/Effect"
import { bytesOf, type ModelIndex, type ModelPart, partsOf } from "../../model/ModelIndex.ts"
import { NotAModel } from "../Errors.ts"
import type { KeptModel, ModelSource } from "../messages.ts"
import { collectModel, keptBytes } from "./collectModel.ts"
import { downloadIndex, downloadPart } from "./download.ts"
import { indexFiles } from "./indexFiles.ts"
import { openPartStore, type PartStore } from "./PartStore.ts"

/** An index is told under the page that it belongs to: pages of one server share what it keeps. */
const keys = (page: string) => ({
  site: `site-${encodeURIComponent(page)}`,
  files: `files-${encodeURIComponent(page)}`
})

type Loading = (file: string, done: number, total: number) => void

/** The store where it is wanted; without one nothing is found and what comes stays in memory. */
const holding = (store: PartStore | undefined, told: Loading) => ({
  find: (part: Parameters<PartStore["find"]>[0]) =>
    store === undefined ? Effect.succeed(undefined) : store.find(part),
  alone: <A, E>(part: ModelPart, work: Effect.Effect<A, E>) => (store === undefined ? work : store.alone(part, work)),
  told
})

/** Parts that another model has, too, are kept, and not removed with this one. */
const isRemovable = Effect.fnUntraced(function* (index: ModelIndex, key: string, store: PartStore) {
  if ((yield* store.readIndex(key)) !== undefined) return true
  const named = yield* store.named
  return (
    (yield* keptBytes(
      partsOf(index).filter(({ sha256 }) => !named.has(sha256)),
      store
    )) > 0
  )
})

const found = Effect.fnUntraced(function* (index: ModelIndex | undefined, key: string, store: PartStore | undefined) {
  if (index === undefined) return undefined
  const model = { name: index.name, bytes: bytesOf(index) }
  if (store === undefined) return { ...model, keptBytes: 0, isRemovable: false }
  const kept = yield* keptBytes(partsOf(index), store)
  return { ...model, keptBytes: kept, isRemovable: yield* isRemovable(index, key, store) }
})

/** The model beside the page by its server, or as it was kept where no network brings it, or a network's own page instead. */
const siteIndex = Effect.fnUntraced(function* (page: string, folder: string, store: PartStore | undefined) {
  const kept = yield* store === undefined ? Effect.succeed(undefined) : store.readIndex(keys(page).site)
  return yield* downloadIndex(folder).pipe(
    Effect.catch((error) => (kept === undefined ? Effect.fail(error) : Effect.succeed(kept)))
  )
})

const optionalStore = Effect.orElseSucceed(openPartStore, () => undefined)

/** What can be opened without choosing files. */
export const findModels = Effect.fnUntraced(function* (page: string, folder: string) {
  const store = yield* optionalStore
  const index = yield* Effect.orElseSucceed(siteIndex(page, folder, store), () => undefined)
  const own = keys(page)
  const files = store && (yield* store.readIndex(own.files))
  return { site: yield* found(index, own.site, store), kept: yield* found(files, own.files, store) }
})

/** Removes what is kept of one model; what has come of one beside the page that was not opened, too. Fails with StorageUnavailable. */
export const forgetModel = Effect.fnUntraced(function* (page: string, which: KeptModel) {
  const store = yield* optionalStore
  if (store === undefined) return
  yield* store.forget(keys(page)[which])
  if (which === "site") yield* store.dropUnnamed
})

const noModel = (reason: string) => new NotAModel({ files: [], reason })

/** The index of a model and its files, and what is done about what is kept of it once it has opened, and if it has not. */
export const collectSource = Effect.fnUntraced(function* (
  page: string,
  source: ModelSource,
  keep: boolean,
  loading: Loading
) {
  const store = keep ? yield* openPartStore : yield* optionalStore
  const keeping = keep ? store : undefined
  const inMemory = (_: unknown, bytes: Uint8Array<ArrayBuffer>) => Effect.succeed(new Blob([bytes]))
  switch (source.kind) {
    case "site": {
      const index = yield* siteIndex(page, source.folder, store)
      if (index === undefined) return yield* noModel("this page has no model beside it")
      const files = yield* collectModel(index, {
        ...holding(store, loading),
        fetchPart: (part, received) => downloadPart(source.folder, part, received),
        hold: (part, bytes) => (keeping === undefined ? inMemory(part, bytes) : keeping.put(part, bytes))
      })
      const opened = keeping === undefined ? Effect.void : keeping.writeIndex(keys(page).site, index)
      return { index, files, opened, refused: Effect.void }
    }
    case "files": {
      const { index, partBlobs } = yield* indexFiles(source.files, loading)
      const blobOf = (sha256: string) => partBlobs.get(sha256)!
      const refused = keeping === undefined ? Effect.void : Effect.ignore(keeping.drop(partsOf(index)))
      const files = yield* collectModel(index, {
        ...holding(keeping, loading),
        fetchPart: ({ file, sha256, bytes }, received) =>
          Effect.tryPromise({
            try: async () => {
              const read = new Uint8Array(await blobOf(sha256).arrayBuffer())
              received(bytes)
              return read
            },
            catch: (error) => new NotAModel({ files: [file], reason: `it cannot be read: ${String(error)}` })
          }),
        hold: (part, bytes) => (keeping === undefined ? Effect.succeed(blobOf(part.sha256)) : keeping.put(part, bytes))
      }).pipe(Effect.onError(() => refused))
      const opened = keeping === undefined ? Effect.void : keeping.writeIndex(keys(page).files, index)
      return { index, files, opened, refused }
    }
    case "kept": {
      const index = store && (yield* store.readIndex(keys(page).files))
      if (index === undefined) return yield* noModel("no model is kept here any more")
      const files = yield* collectModel(index, {
        ...holding(store, loading),
        fetchPart: ({ file }) => Effect.fail(noModel(`the browser has removed ${file}, choose the files again`)),
        hold: inMemory
      })
      return { index, files, opened: Effect.void, refused: Effect.void }
    }
  }
})
