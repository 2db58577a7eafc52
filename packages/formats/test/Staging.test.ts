import { createHash } from "node:crypto"
import fs, { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { AtomicFile, Staging } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0
const place = () => join(root, `${made++}`)
const bytesOf = (text: string) => new TextEncoder().encode(text)
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const named = ["weights", join("parts", "a", "0"), "description"]

/** Stages the files, each saying its name after `prefix`, and gives what they are. */
const stage = Effect.fnUntraced(function* (staging: Staging.Staging, prefix: string) {
  return yield* Effect.forEach(named, (file) => {
    mkdirSync(join(staging.directory, file, ".."), { recursive: true })
    return Effect.map(
      AtomicFile.writeWhole(join(staging.directory, file), bytesOf(prefix + file)),
      (written): AtomicFile.Written => ({ ...written, file })
    )
  })
})
const write = (directory: string, prefix: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const staging = yield* Staging.make(directory)
      yield* staging.publish(yield* stage(staging, prefix))
    })
  )
const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => existsSync(join(directory, name)))
const isWhole = (directory: string, prefix: string) =>
  named.every((file) => readFileSync(join(directory, file), "utf8") === prefix + file)

/** Copies `directory` before each renaming and removal that `work` does: what a process killed there leaves. */
const killedAnywhere = async (directory: string, work: () => Promise<unknown>): Promise<readonly string[]> => {
  const copies: string[] = []
  const copy = () => {
    const to = place()
    cpSync(directory, to, { recursive: true })
    copies.push(to)
  }
  const { rename, rm } = fs.promises
  fs.promises.rename = (...args) => {
    copy()
    return rename(...args)
  }
  fs.promises.rm = (...args) => {
    copy()
    return rm(...args)
  }
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(fs.promises, { rename, rm })
    syncBuiltinESMExports()
  }
  return copies
}

describe("Staging", () => {
  it.effect("makes the directory and fills it, in place of what has the same names, and leaves other files alone", () =>
    Effect.gen(function* () {
      const directory = join(place(), "deep")
      yield* write(directory, "old ")
      writeFileSync(join(directory, "mine"), "mine")
      yield* write(directory, "new ")
      assert.isTrue(isWhole(directory, "new "))
      assert.sameMembers(readdirSync(directory), ["weights", "parts", "description", "mine"])
    })
  )

  it.effect("shows nothing before it is published, and leaves nothing where the work fails", () =>
    Effect.gen(function* () {
      const directory = place()
      const failing = Effect.gen(function* () {
        const staging = yield* Staging.make(directory)
        yield* stage(staging, "")
        assert.lengthOf(readdirSync(directory), 1)
        assert.match(readdirSync(directory)[0]!, /^\.unfinished\.\d+-\d+-\d+\.tmp$/)
        // Who runs keeps what is its own.
        yield* Staging.removeUnfinished(directory)
        assert.isTrue(existsSync(join(staging.directory, "weights")))
        return yield* Effect.fail("stop")
      })
      assert.strictEqual(yield* Effect.flip(Effect.scoped(failing)), "stop")
      assert.isEmpty(readdirSync(directory))
    })
  )

  it.effect("leaves nothing where a file cannot be moved", () =>
    Effect.gen(function* () {
      const directory = place()
      mkdirSync(join(directory, "description"), { recursive: true })
      const error = yield* Effect.flip(write(directory, ""))
      assert.deepInclude(error, { file: join(directory, "description"), code: "ERR_FS_EISDIR" })
      assert.deepStrictEqual(readdirSync(directory), ["description"])
      const other = place()
      mkdirSync(join(other, "parts", "a", "0"), { recursive: true })
      const { operation, code } = yield* Effect.flip(write(other, ""))
      assert.deepStrictEqual([operation, code], ["move here", "EISDIR"])
      assert.deepStrictEqual(readdirSync(other), ["parts"])
    })
  )

  it.effect("killed anywhere, is cleaned up; where it was done, it is never taken for done with half of it", () =>
    Effect.gen(function* () {
      const directory = place()
      mkdirSync(directory)
      const copies = yield* Effect.promise(() =>
        killedAnywhere(directory, () => Effect.runPromise(write(directory, "")))
      )
      const done = copies.filter((copy) => existsSync(join(copy, "description")))
      // Where only what was staged is left to be removed.
      assert.deepStrictEqual(done, copies.slice(-1))
      for (const copy of copies) {
        yield* Staging.removeUnfinished(copy)
        if (done.includes(copy)) assert.isTrue(isWhole(copy, ""))
        else assert.isEmpty(filesIn(copy))
        yield* write(copy, "")
        assert.isTrue(isWhole(copy, ""))
      }
    })
  )

  it.effect("killed anywhere, keeps what is not its own: other files, and those that were changed since", () =>
    Effect.gen(function* () {
      const directory = place()
      yield* write(directory, "old ")
      writeFileSync(join(directory, "parts", "mine"), "mine")
      const copies = yield* Effect.promise(() =>
        killedAnywhere(directory, () => Effect.runPromise(write(directory, "new ")))
      )
      // While files move, nothing says that all are whole.
      const withNew = copies.filter((copy) => readFileSync(join(copy, "parts", "a", "0"), "utf8").startsWith("new"))
      assert.isNotEmpty(withNew)
      for (const copy of withNew.slice(0, -1)) assert.isFalse(existsSync(join(copy, "description")))
      for (const copy of copies) {
        writeFileSync(join(copy, "weights"), "changed since")
        yield* Staging.removeUnfinished(copy)
        assert.strictEqual(readFileSync(join(copy, "weights"), "utf8"), "changed since")
        assert.strictEqual(readFileSync(join(copy, "parts", "mine"), "utf8"), "mine")
      }
    })
  )

  it.effect("removes nothing outside of the directory, whatever a list says", () =>
    Effect.gen(function* () {
      const directory = place()
      const staged = join(directory, ".unfinished.99999999-0-0.tmp")
      mkdirSync(staged, { recursive: true })
      const outside = join(root, "outside")
      writeFileSync(outside, "x")
      const list = [outside, join("..", "outside"), join("a", "..", "..", "outside")]
      const files = list.map((file) => ({ file, sha256: sha256("x"), bytes: 1 }))
      writeFileSync(join(staged, ".moving.json"), JSON.stringify(files))
      yield* Staging.removeUnfinished(directory)
      assert.strictEqual(readFileSync(outside, "utf8"), "x")
      assert.isEmpty(readdirSync(directory))
    })
  )

  it.effect("of a directory that does not exist, or is a file, makes nothing", () =>
    Effect.gen(function* () {
      const directory = place()
      yield* Staging.removeUnfinished(directory)
      assert.isFalse(existsSync(directory))
      writeFileSync(directory, "")
      yield* Staging.removeUnfinished(directory)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(Staging.make(directory)))).code, "ENOTDIR")
    })
  )
})
