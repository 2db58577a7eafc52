/** One writer: live locks are respected, stale ones taken over by exactly one process. */
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import * as Result from "effect/Result"
import { assert } from "vitest"
import { lockDirectory } from "../src/directory/kernelLock.ts"
import { acquireLock, type LockOwner } from "../src/directory/RunLock.ts"
import { LockLost, RunLocked, StorageFailed } from "../src/Errors.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

const lockOf = (directory: string): LockOwner => JSON.parse(readFileSync(join(directory, "run.lock"), "utf8"))
const writeLock = (directory: string, owner: Partial<LockOwner>) =>
  writeFileSync(
    join(directory, "run.lock"),
    JSON.stringify({
      token: "another",
      pid: process.pid,
      host: hostname(),
      bootAndStart: null,
      since: "2026-11-20T08:00:00.000Z",
      command: "speedq run mine.json",
      ...owner
    })
  )
/** The number of a process that has just ended. */
const deadPid = () => Number(spawnSync("sh", ["-c", "echo $$"]).stdout)

/** A file system on which links fail. */
const withoutLinks = (code: string) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const cause = Object.assign(new Error(`${code}: refused`), { code })
      const error = PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method: "link", cause })
      return FileSystem.FileSystem.of({ ...fs, link: () => Effect.fail(error) })
    })
  )

const provided = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices>) =>
  Effect.provide(effect, NodeServices.layer)
const take = (directory: string) => Effect.scoped(acquireLock(directory))

describe("RunLock", () => {
  it.live("names its owner while it is held and is gone afterwards", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* acquireLock(directory)
          assert.deepInclude(lockOf(directory), { pid: process.pid, host: hostname() })
          const error = yield* Effect.flip(take(directory))
          assert.instanceOf(error, RunLocked)
          assert.strictEqual(error.pid, process.pid)
        })
      )
      assert.isEmpty(readdirSync(directory))
    }).pipe(provided)
  )

  it.live("a lock of a dead process, of a reused process number, and a torn one are taken over", () =>
    Effect.gen(function* () {
      const dead = temporaryDirectory()
      writeLock(dead, { pid: deadPid() })
      yield* take(dead)
      // This very process, but started at another time: the number was given to it later.
      const reused = temporaryDirectory()
      writeLock(reused, { bootAndStart: "0d9a7c2e-another-boot/1" })
      yield* take(reused)
      const torn = temporaryDirectory()
      writeFileSync(join(torn, "run.lock"), '{"token":"x","pi')
      yield* take(torn)
      for (const directory of [dead, reused, torn]) assert.isEmpty(readdirSync(directory))
    }).pipe(provided)
  )

  it.live("a lock of another machine is respected, and the message says what to do", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      writeLock(directory, { host: "box-2", pid: 4711 })
      const error = yield* Effect.flip(take(directory))
      assert.strictEqual(
        error.message,
        `${directory} is being written by process 4711 on box-2 since 2026-11-20T08:00:00.000Z (speedq run mine.json): stop it where it runs, or choose another directory. If it has ended, delete ${directory}/run.lock, or wait: a lock that is not renewed for ten minutes is taken over`
      )
      assert.strictEqual(lockOf(directory).token, "another")
    }).pipe(provided)
  )

  it.live("a lock of another container is respected although its process number means nothing here", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      writeLock(directory, { pid: deadPid(), pidNamespace: "pid:[1]" })
      assert.instanceOf(yield* Effect.flip(take(directory)), RunLocked)
      assert.strictEqual(lockOf(directory).token, "another")
    }).pipe(provided)
  )

  it.live("a lock that was not renewed for ten minutes is taken over, from whatever machine it is", () =>
    Effect.gen(function* () {
      for (const owner of [{ host: "box-2" }, { pidNamespace: "pid:[1]" }]) {
        const directory = temporaryDirectory()
        writeLock(directory, owner)
        const elevenMinutesAgo = new Date(Date.now() - 660_000)
        utimesSync(join(directory, "run.lock"), elevenMinutesAgo, elevenMinutesAgo)
        yield* take(directory)
        assert.isEmpty(readdirSync(directory))
      }
    }).pipe(provided)
  )

  const hasKernelLock = Effect.runSync(Effect.scoped(lockDirectory(tmpdir()))) === "held"
  it.live.skipIf(!hasKernelLock)("what the kernel says counts: a lock that it holds no more is stale at once", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* acquireLock(directory)
          const { bootAndStart } = lockOf(directory)
          // A process of another container on this machine, which died.
          writeLock(directory, { bootAndStart, pidNamespace: "pid:[1]", kernel: true })
        })
      )
      assert.strictEqual(lockOf(directory).token, "another")
      yield* take(directory)
      assert.isEmpty(readdirSync(directory))
    }).pipe(provided)
  )

  it.live.skipIf(!hasKernelLock || spawnSync("flock", ["--version"]).status !== 0)(
    "and one that it holds is respected, whatever the file says (needs flock)",
    () =>
      Effect.gen(function* () {
        const directory = temporaryDirectory()
        const holder = spawn("flock", [directory, "-c", "echo held; read line"], { stdio: ["pipe", "pipe", "ignore"] })
        yield* Effect.promise(() => new Promise((resolve) => holder.stdout.once("data", resolve)))
        const error = yield* Effect.flip(take(directory))
        assert.include(error.message, "another process, which has not written its name")
        writeLock(directory, { pid: deadPid(), kernel: true })
        assert.instanceOf(yield* Effect.flip(take(directory)), RunLocked)
        holder.stdin.end("\n")
        yield* Effect.promise(() => new Promise((resolve) => holder.once("close", resolve)))
        yield* take(directory)
      }).pipe(provided)
  )

  it.live("what is no file of a run is refused: a link to nothing, a pipe, a directory", () =>
    Effect.gen(function* () {
      const [link, pipe, folder] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()]
      symlinkSync(join(link, "nowhere"), join(link, "run.lock"))
      assert.strictEqual(spawnSync("mkfifo", [join(pipe, "run.lock")]).status, 0)
      mkdirSync(join(folder, "run.lock"))
      for (const directory of [link, pipe, folder]) {
        const error = yield* Effect.flip(take(directory))
        assert.instanceOf(error, StorageFailed)
        assert.include(error.message, `${directory}/run.lock is no file that a run wrote; remove it and run again`)
      }
    }).pipe(provided)
  )

  it.live(
    "is one of several where the file system has no links, and none where it refuses them for another reason",
    () =>
      Effect.gen(function* () {
        for (const code of ["EPERM", "EOPNOTSUPP", "EIO"]) {
          const directory = temporaryDirectory()
          const work = Effect.scoped(
            Effect.gen(function* () {
              yield* acquireLock(directory)
              assert.deepInclude(lockOf(directory), { pid: process.pid })
              assert.deepStrictEqual(readdirSync(directory), ["run.lock"])
              return yield* Effect.flip(take(directory))
            })
          )
          const end = yield* Effect.result(Effect.provide(work, withoutLinks(code)))
          if (code === "EIO") assert.deepInclude(Result.isFailure(end) ? end.failure : {}, { _tag: "StorageFailed" })
          else assert.instanceOf(Result.isSuccess(end) ? end.success : undefined, RunLocked)
          assert.isEmpty(readdirSync(directory))
        }
      }).pipe(provided)
  )

  it.live("drafts that a killed process left are removed, those of living ones are not", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      for (const name of ["run.lock.old", "run.lock.new"]) writeFileSync(join(directory, name), "{")
      const anHourAgo = new Date(Date.now() - 3_600_000)
      utimesSync(join(directory, "run.lock.old"), anHourAgo, anHourAgo)
      yield* take(directory)
      assert.deepStrictEqual(readdirSync(directory), ["run.lock.new"])
    }).pipe(provided)
  )

  it.live("of many that find a stale lock, one gets it", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 5; round++) {
        const directory = temporaryDirectory()
        writeLock(directory, { pid: deadPid() })
        const exits = yield* Effect.scoped(
          Effect.forEach(Array.from({ length: 20 }), () => Effect.exit(acquireLock(directory)), { concurrency: 20 })
        )
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
        assert.isEmpty(readdirSync(directory))
      }
    }).pipe(provided)
  )

  it.live("a lock that is taken away is noticed before anything is made final, and not removed", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const lock = yield* acquireLock(directory)
          yield* lock.verify
          writeLock(directory, { pid: 99, host: "box-2" })
          const error = yield* Effect.flip(lock.verify)
          assert.instanceOf(error, LockLost)
          assert.include(error.message, "its lock now says: process 99 on box-2")
        })
      )
      assert.strictEqual(lockOf(directory).token, "another")
    }).pipe(provided)
  )
})
