/**
 * Features of frozen towers on disk, DIRECTORY/TOWER/TILE.features: one record a tile (featureRecord.ts), found again by digest in later
 * stages and runs. Several processes may share a directory. A record is written beside its name and renamed; nothing is flushed, for
 * what a loss of power tears fails its check and is computed again.
 *
 * Records beyond the limit go, those that were used longest ago first: a record's time of change is that of its last use. Every
 * process counts what it writes itself and looks at the whole directory after each twentieth of the limit, so that n processes
 * together pass the limit by n twentieths at most.
 */
import { readdir, rename, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { threadId } from "node:worker_threads"
import { attemptOn, type FileFailed, makeDirectories, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { FeatureStoreRefused } from "../Errors.ts"
import { decodeRecord, encodeRecord, type FeatureKey, type FeatureNumbers, recordBytes } from "./featureRecord.ts"

export interface FeatureStore {
  readonly directory: string
  /** Features f32 [count]; undefined where there are none, or none that prove to be whole. */
  readonly find: (key: FeatureKey, count: number) => Effect.Effect<Float32Array | undefined>
  /** Keeps features. The first refusal of the system ends the writing and is told. */
  readonly keep: (key: FeatureKey, values: Float32Array) => Effect.Effect<void>
  readonly counts: () => StoreCounts
}

interface StoreCounts {
  /** Records that were there and could not be used. */
  readonly damaged: number
  /** Bytes of records that were written. */
  readonly written: number
}

interface StoreOptions {
  readonly directory: string
  /** Bytes of all records together. */
  readonly limit: number
  readonly numbers: FeatureNumbers
  /** Told of the first record that cannot be written. */
  readonly tell: (refusal: FeatureStoreRefused) => Effect.Effect<void>
}

interface Kept {
  readonly file: string
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly used: number
}

const towerName = /^[0-9a-f]{64}$/
const recordName = /^[0-9a-f]{64}\.features$/
const temporaryName = /^\.[0-9a-f]{64}\.[0-9-]+\.tmp$/
/** A record is written in seconds: what is so old, a killed process left. */
const abandonedMillis = 3_600_000

/** What eviction leaves of the limit, so that it need not begin again with the next record. */
const leftShare = 0.9
/** Share of the limit that a process writes before it looks at what others wrote. */
const lookShare = 0.05

const fileOf = (directory: string, { tower, tile }: FeatureKey): string => join(directory, tower, `${tile}.features`)

/** Whatever others do to a directory meanwhile, what cannot be looked at is not there. */
const orNothing = async <A>(looking: Promise<A>, nothing: A): Promise<A> => looking.catch(() => nothing)

/** All records, files that killed processes left removed. Other files are nobody's business here. */
const lookAt = async (directory: string): Promise<readonly Kept[]> => {
  const now = Date.now()
  const kept: Kept[] = []
  for (const tower of (await readdir(directory)).filter((name) => towerName.test(name))) {
    for (const name of await orNothing(readdir(join(directory, tower)), [])) {
      const isRecord = recordName.test(name)
      if (!isRecord && !temporaryName.test(name)) continue
      const file = join(directory, tower, name)
      const info = await orNothing(stat(file), undefined)
      if (info === undefined) continue
      if (isRecord) kept.push({ file, bytes: info.size, used: info.mtimeMs })
      else if (now - info.mtimeMs > abandonedMillis) await orNothing(rm(file, { force: true }), undefined)
    }
  }
  return kept
}

/** Bytes that are left when the records used longest ago are gone, as many as the limit wants. */
const evict = async (kept: readonly Kept[], limit: number): Promise<number> => {
  let bytes = kept.reduce((sum, each) => sum + each.bytes, 0)
  if (bytes <= limit) return bytes
  for (const each of kept.toSorted((a, b) => a.used - b.used)) {
    if (bytes <= leftShare * limit) break
    await orNothing(rm(each.file, { force: true }), undefined)
    // A directory with other records stays.
    await orNothing(rmdir(dirname(each.file)), undefined)
    bytes -= each.bytes
  }
  return bytes
}

let written = 0

/** Writes beside the final name, then renames: a reader finds all or nothing. */
const writeRecord = (file: string, tile: string, record: Uint8Array): Effect.Effect<void, FileFailed> => {
  const temporary = join(dirname(file), `.${tile}.${process.pid}-${threadId}-${written++}.tmp`)
  const attempt = attemptOn(file)
  return attempt("create the directory of", () => makeDirectories(dirname(file))).pipe(
    Effect.andThen(attempt("write", () => writeFile(temporary, record, { flag: "wx" }))),
    Effect.andThen(attempt("rename", () => rename(temporary, file))),
    // Another process may have removed the directory, which was empty.
    Effect.retry({ times: 1, while: ({ code }) => code === "ENOENT" }),
    Effect.tapError(() => Effect.ignore(attempt("remove", () => rm(temporary, { force: true }))))
  )
}

/** Opens a store, its directory made where there is none. Fails with FeatureStoreRefused. */
export const openFeatureStore = Effect.fn("openFeatureStore")(function* ({
  directory,
  limit,
  numbers,
  tell
}: StoreOptions): Effect.fn.Return<FeatureStore, FeatureStoreRefused> {
  const attempt = attemptOn(directory)
  const refused = ({ reason }: FileFailed) => new FeatureStoreRefused({ directory, reason })
  const looking = attempt("list", () => lookAt(directory).then((kept) => evict(kept, limit)))
  const opening = Effect.andThen(
    attempt("create", () => makeDirectories(directory)),
    looking
  )
  // All records, as far as this process knows, and those that it wrote since it looked.
  let bytes = yield* Effect.mapError(opening, refused)
  let [own, damaged, total, isRefused] = [0, 0, 0, false]
  const alone = yield* Semaphore.make(1)

  const makeRoom = Effect.suspend(() => {
    if (bytes <= limit && own <= lookShare * limit) return Effect.void
    return Effect.map(looking, (left) => {
      bytes = left
      own = 0
    })
  })

  const find = Effect.fnUntraced(function* (key: FeatureKey, count: number) {
    const file = fileOf(directory, key)
    const most = recordBytes(numbers, count)
    const record = yield* readBytes(file, most).pipe(
      Effect.catch(({ code }) => {
        if (code !== "ENOENT") damaged++
        return Effect.undefined
      })
    )
    if (record === undefined) return undefined
    const values = decodeRecord(key, numbers, count, record)
    if (values === undefined) {
      damaged++
      return undefined
    }
    const now = new Date()
    // Where it cannot be marked, it goes sooner.
    yield* Effect.ignore(attemptOn(file)("mark", () => utimes(file, now, now)))
    return values
  })

  const write = Effect.fnUntraced(function* (key: FeatureKey, values: Float32Array) {
    const record = encodeRecord(key, numbers, values)
    yield* writeRecord(fileOf(directory, key), key.tile, record)
    bytes += record.length
    own += record.length
    total += record.length
    yield* alone.withPermit(makeRoom)
  })

  const keep = (key: FeatureKey, values: Float32Array) => {
    if (isRefused || recordBytes(numbers, values.length) > limit) return Effect.void
    return write(key, values).pipe(
      Effect.catch((error) => {
        const isFirst = !isRefused
        isRefused = true
        return isFirst ? tell(refused(error)) : Effect.void
      })
    )
  }

  return { directory, find, keep, counts: () => ({ damaged, written: total }) }
})
