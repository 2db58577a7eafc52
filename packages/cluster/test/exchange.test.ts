/** Names of what processes hand to each other: what belongs to a batch goes with it, also what was only begun. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { notedFiles } from "../src/exchange/unitFiles.ts"
import { batchPrefix, fileName, isOfOtherBatch } from "../src/units/exchange.ts"

const key = "0123456789abcdef"
const step = (number: number) => `step-${String(number).padStart(8, "0")}`
const prefix = batchPrefix(key, step(4))

describe("isOfOtherBatch", () => {
  it("is true of whole and begun files of other steps and stages, and of no other file", () => {
    for (const name of [fileName(prefix, "parameters"), fileName(prefix, "shard-0002", "host 1", "sums")]) {
      for (const file of [name, `.${name}.4711-0-12.tmp`]) {
        assert.isFalse(isOfOtherBatch(file, prefix), file)
        assert.isTrue(isOfOtherBatch(file, batchPrefix(key, step(5))), file)
        assert.isTrue(isOfOtherBatch(file, batchPrefix("fedcba9876543210", step(4))), file)
        assert.isTrue(isOfOtherBatch(file), file)
      }
    }
    assert.isFalse(isOfOtherBatch("runners.json", prefix))
    assert.isFalse(isOfOtherBatch("runners.json"))
  })
})

describe("notedFiles", () => {
  const { files, records } = notedFiles({
    written: (file) => `/runs/mine/${file}`,
    nameOf: (name) => fileName(prefix, name),
    others: ({ file }) => Effect.succeed(`/elsewhere/${file}`)
  })
  const at = (file: string) => files.pathOf({ file, bytes: 1, sha256: "" })

  it("leads to no other folder, whatever a message says", async () => {
    for (const file of ["../../run.json", "/etc/passwd", "", ".hidden", "a/b"]) {
      const error = await Effect.runPromise(Effect.flip(at(file)))
      assert.match(error.message, /is no name of an exchanged file/)
    }
    assert.strictEqual(await Effect.runPromise(at("plain.safetensors")), "/elsewhere/plain.safetensors")
  })

  it("notes what is written, and finds it again", async () => {
    const written = { bytes: 3, sha256: "ab" }
    const record = await Effect.runPromise(files.write("sums", () => Effect.succeed(written)))
    assert.deepStrictEqual(record, { file: fileName(prefix, "sums"), ...written })
    assert.deepStrictEqual(records, [record])
    assert.strictEqual(await Effect.runPromise(files.pathOf(record)), `/runs/mine/${record.file}`)
  })

  it("drops what was written here, and what came from elsewhere", async () => {
    const folder = mkdtempSync(join(tmpdir(), "speedq-exchange-"))
    const at = (file: string) => join(folder, file)
    const { files, records } = notedFiles({
      written: at,
      nameOf: (name) => fileName(prefix, name),
      others: ({ file }) => Effect.succeed(at(file))
    })
    const write = (name: string) =>
      files.write(name, (path) =>
        Effect.sync(() => {
          writeFileSync(path, "bytes")
          return { bytes: 5, sha256: "ab" }
        })
      )
    const [kept, dropped] = await Effect.runPromise(Effect.all([write("before"), write("variables")]))
    const theirs = { file: "theirs.safetensors", bytes: 5, sha256: "cd" }
    writeFileSync(at(theirs.file), "bytes")
    await Effect.runPromise(Effect.andThen(files.drop(dropped), files.drop(theirs)))
    // One that has gone already is no failure.
    await Effect.runPromise(files.drop(theirs))
    assert.deepStrictEqual(readdirSync(folder), [kept.file])
    assert.deepStrictEqual(records, [kept])
    rmSync(folder, { recursive: true })
  })
})
