import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { AtomicFile } from "../src/index.ts"
import { counting } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0
const place = (): { readonly directory: string; readonly path: string } => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  return { directory, path: join(directory, "file.bin") }
}
const argumentsOf = (script: string, path: string): ReadonlyArray<string> => {
  return ["--import", "tsx", "-C", "@speedq/source", join(import.meta.dirname, script), path]
}
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

describe("AtomicFile", () => {
  it.effect("writes pieces in order and gives digest and size", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      // More than a piece of its own, from memory of every kind, at odd offsets.
      const shared = new Uint8Array(new SharedArrayBuffer(3_000_001)).subarray(1)
      shared.set(counting(3_000_000))
      const chunks = [counting(5), shared, new Uint8Array(0), counting(2 ** 20)]
      const whole = Buffer.concat(chunks)
      const written = yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* AtomicFile.make(path)
          for (const chunk of chunks) yield* file.append(chunk)
          const sealed = yield* file.seal
          assert.isFalse(existsSync(path))
          yield* file.publish
          return sealed
        })
      )
      assert.deepEqual(written, { file: path, sha256: sha256(whole), bytes: whole.length })
      assert.isTrue(readFileSync(path).equals(whole))
      assert.deepEqual(readdirSync(directory), ["file.bin"])
    })
  )

  it.effect("leaves the previous file and nothing else when it fails or is interrupted", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      yield* AtomicFile.writeWhole(path, counting(10))
      const untouched = () => {
        assert.deepEqual(readdirSync(directory), ["file.bin"])
        assert.deepEqual([...readFileSync(path)], [...counting(10)])
      }
      const half = Effect.gen(function* () {
        const file = yield* AtomicFile.make(path)
        yield* file.append(counting(5000))
        return file
      })
      assert.strictEqual(yield* Effect.flip(Effect.scoped(half.pipe(Effect.andThen(Effect.fail("stop"))))), "stop")
      untouched()

      const reached = yield* Deferred.make<void>()
      const waiting = half.pipe(
        Effect.andThen((file) => file.seal),
        Effect.andThen(Deferred.succeed(reached, undefined)),
        Effect.andThen(Effect.never),
        Effect.scoped
      )
      const fiber = yield* Effect.forkChild(waiting)
      yield* Deferred.await(reached)
      assert.lengthOf(readdirSync(directory), 2)
      yield* Fiber.interrupt(fiber)
      untouched()
    })
  )

  it.effect("fails with what the system says", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      const noDirectory = yield* Effect.flip(AtomicFile.writeWhole(join(directory, "absent", "f"), counting(1)))
      assert.strictEqual(noDirectory.code, "ENOENT")
      assert.include(noDirectory.message, "cannot list")
      mkdirSync(path)
      const taken = yield* Effect.flip(AtomicFile.writeWhole(path, counting(1)))
      assert.strictEqual(taken.operation, "rename")
      assert.strictEqual(taken.code, "EISDIR")
      assert.deepEqual(readdirSync(directory), ["file.bin"])
    })
  )

  it.effect("survives a kill in the middle, and the next write removes what it left", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      yield* AtomicFile.writeWhole(path, counting(10))
      const killed = spawnSync(process.execPath, argumentsOf("killedWriter.ts", path), { encoding: "utf8" })
      assert.strictEqual(killed.signal, "SIGKILL", killed.stderr)
      assert.deepEqual([...readFileSync(path)], [...counting(10)])
      const leftovers = readdirSync(directory).filter((name) => name !== "file.bin")
      assert.lengthOf(leftovers, 1)

      // A writer that still runs, this process, and files that only look alike are left alone.
      const kept = [
        `.file.bin.${process.ppid}-0-0.tmp`,
        `.file.bin.${process.pid}-77-0.tmp`,
        ".file.bin.tmp",
        ".file.bin.1x-0-0.tmp"
      ]
      for (const name of kept) writeFileSync(join(directory, name), "")
      yield* AtomicFile.writeWhole(path, counting(20))
      assert.sameMembers(readdirSync(directory), ["file.bin", ...kept])
      assert.deepEqual([...readFileSync(path)], [...counting(20)])
    })
  )

  it.effect("leaves the previous file and nothing else when the system takes no more bytes", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      yield* AtomicFile.writeWhole(path, counting(10))
      // A limit of file size, 1 MiB, stands in for a full disk: the last write falls a header short, and what is left of it fails.
      const limited = [
        "-c",
        'ulimit -f 2048; exec "$@"',
        "sh",
        process.execPath,
        ...argumentsOf("limitedWriter.ts", path)
      ]
      const { stdout, stderr } = spawnSync("sh", limited, { encoding: "utf8" })
      assert.include(JSON.parse(stdout || `{"stderr":${JSON.stringify(stderr)}}`), {
        _tag: "FileFailed",
        file: path,
        operation: "write",
        code: "EFBIG"
      })
      assert.deepEqual([...readFileSync(path)], [...counting(10)])
      assert.deepEqual(readdirSync(directory), ["file.bin"])
    })
  )

  it.effect("lets two writers of one path both finish; the last one stays", () =>
    Effect.gen(function* () {
      const { directory, path } = place()
      const contents = [counting(3_000_000), counting(2_000_000).reverse()]
      yield* Effect.forEach(contents, (bytes) => AtomicFile.writeWhole(path, bytes), { concurrency: 2 })
      const there = sha256(readFileSync(path))
      assert.include(contents.map(sha256), there)
      assert.deepEqual(readdirSync(directory), ["file.bin"])
    })
  )
})
