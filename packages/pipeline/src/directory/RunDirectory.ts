/**
 * A run's directory, held by one process for the life of a scope:
 * `run.json`, `events.jsonl`, `stages/NN-name/`, `superseded/` (results that a changed recipe left behind), `model/`, `report.html`.
 */
import { AtomicFile, type FileFailed, ifPresent, jsonString, readText } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type LockLost, NotARunDirectory, type StorageFailed } from "../Errors.ts"
import { Events } from "../events/Events.ts"
import { Warning } from "../events/runEvents.ts"
import { jsonLinesSink } from "../events/sinks/jsonLines.ts"
import { isLeftover } from "../files/leftovers.ts"
import { madeDirectory, storageFailed, whileDoing } from "../files/storage.ts"
import { Timestamp } from "../json/Timestamp.ts"
import { tooManyStages } from "../recipe/stageLabels.ts"
import { clearStages, stagesIn } from "./clearRun.ts"
import { refuseLinksOut } from "./linksOut.ts"
import { acquireLock, lockFileName } from "./RunLock.ts"
import { surroundingsChanges } from "./surroundingsChanges.ts"

const Change = Schema.Struct({ at: Timestamp, field: Schema.String, before: Schema.String, after: Schema.String })

/**
 * What `run.json` holds: everything that the run rests on. `keys` are those that its stages have, or will have when they run, by
 * place: a result under another key is stale. One that cannot be known yet is not there. `expectedSeconds` says how long stages were
 * expected to take when the run was last begun or continued, where that is known. `workingDirectory` is where relative paths of the
 * recipe count from, told from the run's directory, so that both may be moved together; older records have none. `changes` are those
 * of `surroundings` on the way, such as another adapter of a GPU: what was computed after one may have other bits than before it.
 */
export const RunRecord = Schema.Struct({
  format: Schema.Literal(2),
  recipe: Schema.Json,
  keys: Schema.Record(Schema.String, Schema.String),
  build: Schema.String,
  surroundings: Schema.Record(Schema.String, Schema.String),
  expectedSeconds: Schema.optionalKey(Schema.Record(Schema.String, Schema.Number)),
  workingDirectory: Schema.optionalKey(Schema.String),
  changes: Schema.optionalKey(Schema.Array(Change)),
  startedAt: Timestamp,
  continuedAt: Schema.Array(Timestamp)
})
export interface RunRecord extends Schema.Schema.Type<typeof RunRecord> {}

export const runFileName = "run.json"
export const eventsFileName = "events.jsonl"
export const reportFileName = "report.html"
export const stagesName = "stages"
export const supersededName = "superseded"
/** What other processes that compute for the run are handed, and are told of. */
export const runnersName = "runners"
/** What a run writes beside its stages. */
const ownFiles = [runFileName, eventsFileName, reportFileName, runnersName]
/** What may be there before the first stage has begun. */
const beforeStages = [eventsFileName, reportFileName, runnersName, stagesName, "tensorboard"]
const isLock = (name: string) => name.startsWith(lockFileName)
/** What of a run's directory is read, written or removed. */
const used = {
  whole: [...ownFiles, lockFileName, "model", "tensorboard"],
  stages: [stagesName, supersededName]
}

const RunFile = jsonString(RunRecord, { space: 2 })
const decodeRunFile = Schema.decodeUnknownOption(RunFile)
const encodeRunFile = Schema.encodeSync(RunFile)

/**
 * The record of the run in `directory`; none where there is no run, or its record is unreadable. Fails with FileFailed where files of
 * the run are links out of its directory: nobody who asks for the record may follow them.
 */
export const readRunRecord = Effect.fn("readRunRecord")(function* (directory: string) {
  const path = yield* Path.Path
  const text = yield* ifPresent(readText(path.join(directory, runFileName)))
  if (text === undefined) return Option.none<RunRecord>()
  yield* refuseLinksOut(directory, used)
  return Option.filter(decodeRunFile(text), ({ recipe }) => tooManyStages(recipe) === undefined)
})

export class RunDirectory extends Context.Service<
  RunDirectory,
  {
    readonly path: string
    /** Lives as long as the directory is held. */
    readonly scope: Scope.Scope
    /** Fails when another process took the directory over; asked before anything is made final. */
    readonly verify: Effect.Effect<void, LockLost | StorageFailed>
    /** Writes run.json and returns what it said before. */
    readonly record: (
      now: Pick<RunRecord, "recipe" | "keys" | "build" | "surroundings" | "expectedSeconds">
    ) => Effect.Effect<Option.Option<RunRecord>, StorageFailed>
    /** Corrects the keys in the run.json that this process wrote. */
    readonly expect: (keys: RunRecord["keys"]) => Effect.Effect<void, StorageFailed>
  }
>()("@speedq/pipeline/RunDirectory") {
  /**
   * Holds `directory`, which is made when it does not exist. With `fresh`, what an earlier run left in it is removed first: its
   * record, log and report, its stages, and the files that their manifests name. Nothing else is.
   * Fails with RunLocked, NotARunDirectory, StorageFailed.
   */
  static readonly layer = (directory: string, options: { readonly fresh?: boolean } = {}) =>
    Layer.effect(RunDirectory, open(directory, options.fresh ?? false)).pipe(Layer.provideMerge(Events.layer))
}

const open = Effect.fn("RunDirectory.open")(function* (given: string, fresh: boolean) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const scope = yield* Scope.Scope
  const directory = path.resolve(given)
  const opening = whileDoing("open the run directory", directory)

  const looking = Effect.mapError((error: FileFailed) => storageFailed("open the run directory", error.file, error))
  yield* opening(madeDirectory(directory))
  yield* looking(refuseLinksOut(directory, used))
  const names = yield* opening(fs.readDirectory(directory))
  const parents = [stagesName, supersededName].map((name) => path.join(directory, name))
  // Its stages are looked at only where its record does not say that it is a run.
  if (Option.isNone(yield* looking(readRunRecord(directory)))) {
    const stages = yield* stagesIn(parents)
    const others = names.filter((name) => !beforeStages.includes(name) && !isLock(name) && !isLeftover(name))
    const foreign = [...others, ...stages.foreign.map((place) => path.relative(directory, place))]
    if (foreign.length > 0 && !stages.ours) return yield* new NotARunDirectory({ directory, found: foreign })
  }

  const lock = yield* acquireLock(directory)
  // Looked at again: a process that held the directory until now has written, renamed and removed.
  const held = yield* opening(fs.readDirectory(directory))
  const obsolete = held.filter((name) => isLeftover(name) || (fresh && ownFiles.includes(name)))
  yield* opening(Effect.forEach(obsolete, (name) => fs.remove(path.join(directory, name), { recursive: true })))
  if (fresh) yield* clearStages(directory, parents)
  const kept = fresh ? (yield* opening(fs.readDirectory(directory))).filter((name) => !isLock(name)) : []
  yield* opening(fs.makeDirectory(path.join(directory, stagesName), { recursive: true }))

  const events = yield* Events
  const log = yield* jsonLinesSink(path.join(directory, eventsFileName))
  yield* events.subscribe({ write: log.write, flush: Effect.andThen(lock.verify, log.flush) })

  const recordFile = path.join(directory, runFileName)
  const workingDirectory = path.relative(yield* opening(fs.realPath(directory)), process.cwd()) || "."
  // From one drive of Windows to another only absolute paths lead, which say too much and move with nothing.
  const here = path.isAbsolute(workingDirectory) ? {} : { workingDirectory }
  const write = (record: RunRecord) =>
    AtomicFile.writeWhole(recordFile, new TextEncoder().encode(`${encodeRunFile(record)}\n`)).pipe(
      whileDoing("write the run's record", recordFile)
    )
  let written: RunRecord | undefined

  return RunDirectory.of({
    path: directory,
    scope,
    verify: lock.verify,
    record: Effect.fn("RunDirectory.record")(function* (now) {
      const before = yield* readRunRecord(directory).pipe(
        Effect.provideService(FileSystem.FileSystem, fs),
        Effect.provideService(Path.Path, path),
        whileDoing("read the run's record", recordFile)
      )
      const time = new Date(yield* Clock.currentTimeMillis).toISOString()
      const history = Option.match(before, {
        onNone: () => ({ startedAt: time, continuedAt: [] }),
        onSome: ({ startedAt, continuedAt, changes: earlier = [], surroundings }) => {
          const later = surroundingsChanges(surroundings, now.surroundings).map((change) => ({ at: time, ...change }))
          const changes = [...earlier, ...later]
          return { ...(changes.length > 0 ? { changes } : {}), startedAt, continuedAt: [...continuedAt, time] }
        }
      })
      written = { format: 2, ...now, ...here, ...history }
      yield* write(written)
      if (kept.length > 0) {
        const message = `${kept.sort().join(", ")} in ${directory} stays: no stage of the earlier run says that it wrote it`
        yield* events.emit(Warning, { message })
      }
      return before
    }),
    expect: Effect.fn("RunDirectory.expect")(function* (keys) {
      if (written === undefined) return
      written = { ...written, keys }
      yield* write(written)
    })
  })
})
