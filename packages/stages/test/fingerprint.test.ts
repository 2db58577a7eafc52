/** Fingerprints see what a stage reads: every byte of text, and that a picture changed. */
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { afterAll, assert, describe, it } from "vitest"
import { keepDigest, keptDigest } from "../src/data/digestCache.ts"
import { fileDigest } from "../src/data/fileDigest.ts"
import { fingerprintOf } from "../src/data/fingerprint.ts"
import { DataConfig } from "../src/training/TrainingConfig.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { nanoData } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-fingerprint-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const recipe = { name: "fingerprint", model: join(root, "none"), seed: 1, save: { everySeconds: 300 } }
const fingerprint = (meta: string, data: object = {}) =>
  Effect.runPromise(fingerprintOf(recipe, { data: Schema.decodeUnknownSync(DataConfig)({ meta, ...data }) }))

const ownData = (name: string) => {
  const directory = join(root, name)
  mkdirSync(join(directory, "images"), { recursive: true })
  const records = [1, 2, 3, 4].map((number) => pictureRecord(number))
  for (const { image = "" } of records) copyFileSync(join(nanoData, image), join(directory, image))
  const meta = writeMiniData(directory, records)
  writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl" } }))
  return { directory, meta, annotation: join(directory, "mini.jsonl"), picture: join(directory, "images/0002.png") }
}

describe("a fingerprint", () => {
  it("sees a byte anywhere in a large file, which is read once as long as it stays the same", async () => {
    const file = join(root, "model.safetensors")
    writeFileSync(file, "")
    // Sparse: it takes no room.
    truncateSync(file, 70 * 2 ** 20)
    const long = new Date(Date.now() - 60_000)
    utimesSync(file, long, long)
    const read: number[] = []
    const digest = () => fileDigest(file, (_, bytes) => read.push(bytes))
    const before = await digest()
    assert.strictEqual(await digest(), before)
    assert.deepStrictEqual(read, [70 * 2 ** 20])
    const handle = openSync(file, "r+")
    writeSync(handle, "x", 5 * 2 ** 19 + 100_000)
    closeSync(handle)
    // The time of its last change can be set back, that of its inode cannot.
    utimesSync(file, long, long)
    assert.notStrictEqual(await digest(), before)
    assert.strictEqual(read.length, 2)
  })

  it("takes the digest that another process kept of a large file, while the file is what it was", async () => {
    const cache = join(root, "cache")
    const before = process.env.XDG_CACHE_HOME
    process.env.XDG_CACHE_HOME = cache
    try {
      const kept = { identity: "1 2 3", digest: "ab" }
      await keepDigest("/models/a.safetensors", kept)
      await keepDigest("/models/b.safetensors", { identity: "4", digest: "cd" })
      assert.strictEqual(await keptDigest("/models/a.safetensors", "1 2 3"), "ab")
      assert.isUndefined(await keptDigest("/models/a.safetensors", "1 2 4"))
      writeFileSync(join(cache, "speedq", "digests.json"), "{")
      assert.isUndefined(await keptDigest("/models/a.safetensors", "1 2 3"))
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME
      else process.env.XDG_CACHE_HOME = before
    }
  })

  it("sees an edit of a line, a picture that is another or was touched, and one that is gone", async () => {
    const { meta, annotation, picture } = ownData("edits")
    const before = await fingerprint(meta)
    assert.strictEqual(await fingerprint(meta), before)
    const seen = new Set([before])
    const changed = async (what: string) => {
      const now = await fingerprint(meta)
      assert.isFalse(seen.has(now), what)
      seen.add(now)
    }
    writeFileSync(annotation, readFileSync(annotation, "utf8").replace("red", "RED"))
    await changed("a line")
    utimesSync(picture, 1, 1)
    await changed("the time of a picture")
    writeFileSync(picture, "other")
    await changed("a picture")
    rmSync(picture)
    await changed("a picture that is gone")
  })

  it("by bytes does not see a touched picture, and sees another of the same size and time", async () => {
    const { meta, picture } = ownData("bytes")
    const bytes = { pictures: "bytes" }
    const before = await fingerprint(meta, bytes)
    utimesSync(picture, 1, 1)
    assert.strictEqual(await fingerprint(meta, bytes), before)
    const content = readFileSync(picture)
    content[content.length - 1]! ^= 1
    writeFileSync(picture, content)
    utimesSync(picture, 1, 1)
    assert.notStrictEqual(await fingerprint(meta, bytes), before)
  })

  it("leaves out what the meta file says of how long its files are", async () => {
    const { directory, meta } = ownData("length")
    const before = await fingerprint(meta)
    writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl", length: 4 } }))
    assert.strictEqual(await fingerprint(meta), before)
    writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl", repeat_time: 2 } }))
    assert.notStrictEqual(await fingerprint(meta), before)
  })
})
