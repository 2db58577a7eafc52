/**
 * One writer for a run directory: a lock file that names its owner by process, host and start time.
 * A lock whose process is dead, or whose number now belongs to another process, is stale and is taken over.
 */
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { LockLost, RunLocked, type StorageFailed } from "../Errors.ts"
import { whileDoing } from "../files/storage.ts"

/** What a lock file holds. `bootAndStart` tells a process from a later one with the same number. */
export const LockOwner = Schema.Struct({
  token: Schema.String,
  pid: Schema.Int,
  host: Schema.String,
  bootAndStart: Schema.NullOr(Schema.String),
  since: Schema.String,
  command: Schema.String
})
export interface LockOwner extends Schema.Schema.Type<typeof LockOwner> {}

export const lockFileName = "run.lock"
const LockFile = Schema.fromJsonString(LockOwner)
const decodeOwner = Schema.decodeUnknownOption(LockFile)
const encodeOwner = Schema.encodeSync(LockFile)

/**
 * Boot of the machine and start time of a process in clock ticks since then (field 22 of /proc/PID/stat),
 * or null where there is no /proc: there a living process is never taken for a reused number.
 */
const bootAndStartOf = (pid: number): string | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The command name, field 2, is in parentheses and may hold spaces; field 22 is the 20th after it.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${start}`
  } catch {
    return null
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Whether the process that wrote this lock still runs; undefined when that cannot be told from this host. */
export const ownerRuns = (owner: LockOwner): boolean | undefined => {
  if (owner.host !== hostname()) return undefined
  if (!isAlive(owner.pid)) return false
  return owner.bootAndStart === null || owner.bootAndStart === bootAndStartOf(owner.pid)
}

/** The lock of a directory, if there is one: its owner, or undefined for a file that names nobody. */
export const readLock = Effect.fn("RunLock.read")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = yield* fs.readFileString(path.join(directory, lockFileName)).pipe(
    Effect.map(Option.some),
    Effect.catchReason("PlatformError", "NotFound", () => Effect.succeedNone)
  )
  return Option.map(text, (json) => Option.getOrUndefined(decodeOwner(json)))
})

/** Held by the one process that may write a run directory. */
interface RunLock {
  /** Fails when the lock was taken away; asked before anything is made final. */
  readonly verify: Effect.Effect<void, LockLost | StorageFailed>
}

/** Takes the lock of `directory` for the life of the scope. Fails with RunLocked while another process lives. */
export const acquireLock: (
  directory: string
) => Effect.Effect<RunLock, RunLocked | StorageFailed, FileSystem.FileSystem | Path.Path | Scope.Scope> = Effect.fn(
  "RunLock.acquire"
)(function* (directory) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(directory, lockFileName)
  const doing = whileDoing("lock the run directory", directory)
  const since = new Date(yield* Clock.currentTimeMillis).toISOString()
  const token = randomUUID()
  const self: LockOwner = {
    token,
    pid: process.pid,
    host: hostname(),
    bootAndStart: bootAndStartOf(process.pid),
    since,
    command: process.argv.join(" ")
  }
  const read = readLock(directory).pipe(
    Effect.provideService(FileSystem.FileSystem, fs),
    Effect.provideService(Path.Path, path),
    doing
  )

  // A link appears with its whole content or fails because the name is taken, so no one ever sees half a lock.
  const claim = Effect.gen(function* () {
    const draft = `${file}.${token}`
    yield* fs.writeFileString(draft, encodeOwner(self))
    return yield* fs.link(draft, file).pipe(
      Effect.as(true),
      Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.succeed(false)),
      Effect.ensuring(Effect.ignore(fs.remove(draft)))
    )
  }).pipe(doing)

  // Moved aside first, looked at second: if a live lock was moved after all (another process was faster), it is put back.
  const removeStale = Effect.fnUntraced(
    function* (stale: LockOwner | undefined) {
      const aside = `${file}.stale.${token}`
      yield* fs.rename(file, aside)
      const moved = Option.getOrUndefined(decodeOwner(yield* fs.readFileString(aside)))
      if (moved?.token !== stale?.token) yield* Effect.ignore(fs.link(aside, file))
      yield* fs.remove(aside)
    },
    Effect.catchReason("PlatformError", "NotFound", () => Effect.void),
    doing
  )

  const take: Effect.Effect<void, RunLocked | StorageFailed> = Effect.gen(function* () {
    if (yield* claim) return
    const found = yield* read
    if (Option.isSome(found)) {
      const owner = found.value
      const runs = owner === undefined ? false : ownerRuns(owner)
      if (owner !== undefined && runs !== false) {
        const { pid, host, since, command } = owner
        return yield* new RunLocked({ directory, lockFile: file, pid, host, since, command, thisHost: runs === true })
      }
      yield* removeStale(owner)
    }
    yield* take
  })

  const current = Effect.map(read, Option.getOrUndefined)
  yield* Effect.acquireRelease(take, () =>
    Effect.flatMap(current, (owner) => (owner?.token === token ? fs.remove(file) : Effect.void)).pipe(Effect.ignore)
  )
  return {
    verify: Effect.flatMap(current, (owner) =>
      owner?.token === token
        ? Effect.void
        : new LockLost({ directory, owner: owner === undefined ? "nobody" : `process ${owner.pid} on ${owner.host}` })
    )
  }
})
