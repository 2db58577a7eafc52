/** One writer: live locks are respected, stale ones taken over by exactly one process. */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import { acquireLock, type LockOwner } from "../src/directory/RunLock.ts"
import { LockLost, RunLocked } from "../src/Errors.ts"
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
        `${directory} is being written by process 4711 on box-2 since 2026-11-20T08:00:00.000Z (speedq run mine.json): it cannot be checked from here; if that machine no longer runs it, delete ${directory}/run.lock and run again`
      )
      assert.strictEqual(lockOf(directory).token, "another")
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
