/** Files cut into parts, their index, and the model put together again. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { verifyExport } from "@speedq/exports"
import { AtomicFile } from "@speedq/formats"
import { openBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { afterAll, assert, describe, it } from "vitest"
import { Sha256, sha256 } from "../src/engine/store/Sha256.ts"
import { splitFile } from "../src/export/splitFile.ts"
import { bytesOf, isWebFolder, joinModel, ModelIndex, pageHeaders, partsOf, webFiles } from "../src/index.ts"
import { cutWeights, digest } from "./support/cutWeights.ts"
import { writeSite } from "./support/site.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-web-folder-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const random = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 2654435761) >>> 13)

describe("Sha256", () => {
  it("is Node's, however the bytes are cut", () => {
    for (let length = 0; length < 200; length++) assert.strictEqual(sha256(random(length)), digest(random(length)))
    const bytes = random(100_000)
    for (const step of [1, 63, 64, 65, 1000]) {
      const hash = new Sha256()
      for (let at = 0; at < bytes.length; at += step) hash.update(bytes.subarray(at, at + step))
      assert.strictEqual(hash.hex(), digest(bytes), `${step} bytes at a time`)
    }
  })
})

describe("a file in parts", () => {
  it("has every byte once, in order, and takes the place of the whole", async () => {
    const place = join(directory, "parts")
    mkdirSync(place)
    for (const [length, expected] of [
      [1000, [400, 400, 200]],
      [800, [400, 400]],
      [400, [400]]
    ] as const) {
      const path = join(place, "weights")
      const bytes = random(length)
      const parts = await Effect.runPromise(
        Effect.flatMap(AtomicFile.writeWhole(path, bytes), (whole) => splitFile(whole, 400))
      )
      assert.deepStrictEqual(
        parts.map((part) => part.bytes),
        [...expected]
      )
      assert.deepStrictEqual(
        readdirSync(place),
        parts.map(({ file }) => file.slice(place.length + 1))
      )
      const read = parts.map(({ file }) => readFileSync(file))
      assert.deepStrictEqual(
        read.map(digest),
        parts.map((part) => part.sha256)
      )
      assert.deepStrictEqual(new Uint8Array(Buffer.concat(read)), bytes)
      for (const { file } of parts) rmSync(file)
    }
  })
})

describe("a web export", () => {
  it("lists what it holds with digests, can be verified, and put together again", async () => {
    const backend = await openBackend("native:none")
    const { web, packed, release } = await writeSite(directory, backend)
    release()
    await backend.close()
    assert.isTrue(isWebFolder(web))
    assert.isFalse(isWebFolder(packed))
    const index = Schema.decodeUnknownSync(Schema.fromJsonString(ModelIndex))(
      readFileSync(join(web, "model/index.json"), "utf8")
    )
    assert.strictEqual(index.name, "nano")
    for (const { file, bytes, sha256: expected } of partsOf(index)) {
      const read = readFileSync(join(web, "model", file))
      assert.strictEqual(read.length, bytes)
      assert.strictEqual(digest(read), expected)
    }
    assert.isAbove(bytesOf(index), 300_000)
    await Effect.runPromise(verifyExport(web))
    const files = webFiles(web)
    assert.strictEqual(files.get(""), join(web, "index.html"))
    assert.isTrue(files.has("model/index.json"))

    cutWeights(web, [1000, 200_000])
    const joined = join(directory, "joined")
    mkdirSync(joined)
    await Effect.runPromise(joinModel(web, joined))
    assert.deepStrictEqual(readdirSync(joined).sort(), index.files.map(({ name }) => name).sort())
    for (const name of readdirSync(joined)) {
      assert.isTrue(readFileSync(join(joined, name)).equals(readFileSync(join(packed, name))), name)
    }
  })

  it("tells servers a policy that lets nothing out", () => {
    const policy = pageHeaders["content-security-policy"]!.split("; ")
    assert.include(policy, "default-src 'none'")
    assert.include(policy, "connect-src 'self'")
    assert.isTrue(policy.every((rule) => !/https?:|\*|unsafe-inline|'unsafe-eval'/.test(rule)))
  })
})
