/**
 * One writer for a directory, of a run or of other results. The kernel holds the lock where it can (`kernelLock.ts`); beside it a file
 * names the owner by process, host and start time, and is renewed every minute. A lock whose owner is dead is taken over. Its owner is
 * dead if the kernel's lock is free, if its process has ended, or, where neither can be known from here, if it has not been renewed for
 * ten minutes.
 */
import { randomUUID } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import { ifPresent, overLimit, readText } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { LockLost, RunLocked, StorageFailed } from "../Errors.ts"
import { codeOf, whileDoing } from "../files/storage.ts"
import { type KernelLock, lockDirectory } from "./kernelLock.ts"

/**
 * What a lock file holds. `bootAndStart` tells a process from a later one with the same number, `pidNamespace` from one of another
 * container; `kernel` says that the kernel held the directory's lock for it.
 */
export const LockOwner = Schema.Struct({
  token: Schema.String,
  pid: Schema.Int,
  host: Schema.String,
  bootAndStart: Schema.NullOr(Schema.String),
  pidNamespace: Schema.optionalKey(Schema.NullOr(Schema.String)),
  kernel: Schema.optionalKey(Schema.Boolean),
  since: Schema.String,
  command: Schema.String
})
export interface LockOwner extends Schema.Schema.Type<typeof LockOwner> {}

export const lockFileName = "run.lock"
const renewSeconds = 60
export const leaseMilliseconds = 600_000
/** In which a process writes its lock file, where a file cannot appear whole. */
const writingMilliseconds = 10_000

const LockFile = Schema.fromJsonString(LockOwner)
const decodeOwner = Schema.decodeUnknownOption(LockFile)
const encodeOwner = Schema.encodeSync(LockFile)

/** What a file of /proc says; null where there is no /proc. */
const fromProc = (read: () => string): string | null => {
  try {
    return read()
  } catch {
    return null
  }
}

const bootId = (): string | null => fromProc(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim())

/**
 * Boot of the machine and start time of a process in clock ticks since then (field 22 of /proc/PID/stat). Where it is null, a living
 * process is never taken for a reused number.
 */
const bootAndStartOf = (pid: number): string | null =>
  fromProc(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The command name, field 2, is in parentheses and may hold spaces; field 22 is the 20th after it.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
    return `${bootId()}/${start}`
  })

/** Numbers of processes mean something only among those of one namespace: containers may share a host name. */
const pidNamespace = (): string | null => fromProc(() => readlinkSync("/proc/self/ns/pid"))

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Whether the process that wrote this lock still runs; undefined when that cannot be told from here. */
export const ownerRuns = (owner: LockOwner): boolean | undefined => {
  if (owner.host !== hostname()) return undefined
  if (owner.pidNamespace !== undefined && owner.pidNamespace !== pidNamespace()) return undefined
  if (!isAlive(owner.pid)) return false
  return owner.bootAndStart === null || owner.bootAndStart === bootAndStartOf(owner.pid)
}

/** The kernel of the owner is the one that we ask. */
const isOfThisBoot = ({ bootAndStart }: LockOwner): boolean => {
  const boot = bootId()
  return boot !== null && bootAndStart?.startsWith(`${boot}/`) === true
}

/** What is there is no file that a run wrote. */
const isNoFile = new Set(["EISDIR", "EINVAL", overLimit])

/** The lock of a directory, if there is one: its owner, or undefined for a file that names nobody. */
export const readLock = Effect.fn("RunLock.read")(function* (directory: string) {
  const path = yield* Path.Path
  const file = path.join(directory, lockFileName)
  const text = yield* readText(file).pipe(
    Effect.catchIf(
      ({ code }) => isNoFile.has(code),
      () => Effect.succeed("")
    ),
    ifPresent
  )
  return text === undefined ? Option.none() : Option.some(Option.getOrUndefined(decodeOwner(text)))
})

/** Held by the one process that may write a directory. */
export interface RunLock {
  /** Fails when the lock was taken away; asked before anything is made final. */
  readonly verify: Effect.Effect<void, LockLost | StorageFailed>
}

/** File systems without links: FAT, some network shares. */
const withoutLinks = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"])

/** Takes the lock of `directory` for the life of the scope. Fails with RunLocked while another process lives. */
export const acquireLock: (
  directory: string
) => Effect.Effect<RunLock, RunLocked | StorageFailed, FileSystem.FileSystem | Path.Path | Scope.Scope> = Effect.fn(
  "RunLock.acquire"
)(function* (directory) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(directory, lockFileName)
  const doing = whileDoing("lock the directory", directory)
  const since = new Date(yield* Clock.currentTimeMillis).toISOString()
  const token = randomUUID()
  const draft = `${file}.${token}`
  const kernel: KernelLock = yield* lockDirectory(directory)
  const self: LockOwner = {
    token,
    pid: process.pid,
    host: hostname(),
    bootAndStart: bootAndStartOf(process.pid),
    pidNamespace: pidNamespace(),
    kernel: kernel === "held",
    since,
    command: process.argv.join(" ")
  }
  const read = readLock(directory).pipe(
    Effect.provideService(FileSystem.FileSystem, fs),
    Effect.provideService(Path.Path, path),
    doing
  )

  /** Creates the file or fails because there is one. Others may see it before all of it is written. */
  const create = fs.writeFileString(file, encodeOwner(self), { flag: "wx" })

  // A link appears with its whole content or fails because the name is taken, so no one ever sees half a lock.
  const claim = Effect.gen(function* () {
    yield* fs.writeFileString(draft, encodeOwner(self))
    const linked = fs
      .link(draft, file)
      .pipe(Effect.catch((error: PlatformError) => (withoutLinks.has(codeOf(error)) ? create : Effect.fail(error))))
    return yield* linked.pipe(
      Effect.as(true),
      Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.succeed(false)),
      Effect.ensuring(Effect.ignore(fs.remove(draft)))
    )
  }).pipe(doing)

  /** Milliseconds since the lock file was renewed, by the clock of its file system. */
  const age = Effect.gen(function* () {
    yield* fs.writeFileString(draft, "")
    const [now, renewed] = yield* Effect.forEach([draft, file], (each) => fs.stat(each)).pipe(
      Effect.ensuring(Effect.ignore(fs.remove(draft)))
    )
    const at = (info: FileSystem.File.Info | undefined) => Option.getOrElse(info!.mtime, () => new Date(0)).getTime()
    return at(now) - at(renewed)
  }).pipe(
    Effect.catchReason("PlatformError", "NotFound", () => Effect.succeed(Number.POSITIVE_INFINITY)),
    doing
  )

  /** Whether the owner is dead. */
  const isStale = Effect.fnUntraced(function* (owner: LockOwner | undefined) {
    if (owner === undefined) return kernel === "held" || (yield* age) > writingMilliseconds
    if (owner.kernel === true && kernel === "held" && isOfThisBoot(owner)) return true
    const runs = ownerRuns(owner)
    return runs === undefined ? (yield* age) > leaseMilliseconds : !runs
  })

  const locked = (owner: LockOwner | undefined) => {
    const { pid, host, since: begun, command } = owner ?? { pid: 0, host: "", since: "", command: "" }
    const thisHost = owner !== undefined && ownerRuns(owner) === true
    return new RunLocked({ directory, lockFile: file, pid, host, since: begun, command, thisHost })
  }

  // Moved aside first, looked at second: if a live lock was moved after all (another process was faster), it is put back.
  const removeStale = Effect.fnUntraced(
    function* (stale: LockOwner | undefined) {
      const aside = `${file}.stale.${token}`
      yield* fs.rename(file, aside)
      const moved = Option.getOrUndefined(decodeOwner((yield* ifPresent(readText(aside))) ?? ""))
      if (moved?.token !== stale?.token) yield* Effect.ignore(fs.link(aside, file))
      yield* fs.remove(aside)
    },
    Effect.catchReason("PlatformError", "NotFound", () => Effect.void),
    doing
  )

  /** What is there under the lock's name and is no lock: a link to nothing, a pipe, a directory. */
  const unusable = new StorageFailed({
    doing: "lock the directory",
    path: directory,
    reason: "other",
    detail: `${file} is no file that a run wrote; remove it and run again`
  })

  const take = (attempts: number): Effect.Effect<void, RunLocked | StorageFailed> =>
    Effect.gen(function* () {
      if (attempts === 0) return yield* unusable
      const found = yield* read
      const owner = Option.getOrUndefined(found)
      // A process that holds the kernel's lock has not written its name yet, or removed it already.
      if (kernel === "busy") return yield* locked(owner)
      if (Option.isSome(found)) {
        const info = yield* doing(
          fs.stat(file).pipe(
            Effect.asSome,
            Effect.orElseSucceed(() => Option.none())
          )
        )
        if (Option.exists(info, ({ type }) => type !== "File")) return yield* unusable
        if (!(yield* isStale(owner))) return yield* locked(owner)
        yield* removeStale(owner)
      }
      if (yield* claim) return
      yield* take(attempts - 1)
    })

  /** Drafts of processes that were killed while they wrote them. */
  const removeDrafts = Effect.gen(function* () {
    for (const name of yield* fs.readDirectory(directory)) {
      if (!name.startsWith(`${lockFileName}.`)) continue
      const info = yield* fs.stat(path.join(directory, name))
      const written = Option.getOrElse(info.mtime, () => new Date())
      if ((yield* Clock.currentTimeMillis) - written.getTime() > leaseMilliseconds)
        yield* fs.remove(path.join(directory, name))
    }
  }).pipe(Effect.ignore)

  const current = Effect.map(read, Option.getOrUndefined)
  yield* Effect.acquireRelease(take(100), () =>
    Effect.flatMap(current, (owner) => (owner?.token === token ? fs.remove(file) : Effect.void)).pipe(Effect.ignore)
  )
  yield* removeDrafts
  const renew = Effect.suspend(() => fs.utimes(file, new Date(), new Date()))
  yield* Effect.forkScoped(Effect.ignore(renew).pipe(Effect.repeat(Schedule.spaced(`${renewSeconds} seconds`))))
  return {
    verify: Effect.flatMap(current, (owner) =>
      owner?.token === token
        ? Effect.void
        : new LockLost({ directory, owner: owner === undefined ? "nobody" : `process ${owner.pid} on ${owner.host}` })
    )
  }
})
