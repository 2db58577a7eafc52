/** Compressed files: the same bytes as the file that was compressed, in pieces or as a temporary copy, and whatever is not whole refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { CompressedInvalid, decompressedFile, FileFailed, readPieces } from "../src/index.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-zstandard-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** data/nano/calibration.jsonl as `zstd -19` compresses it. */
const compressed = fileURLToPath(new URL("fixtures/calibration.jsonl.zst", import.meta.url))
const original = readFileSync(fileURLToPath(new URL("../../../data/nano/calibration.jsonl", import.meta.url)))

const readAll = async (file: string): Promise<Buffer> => {
  const pieces: Uint8Array[] = []
  for await (const piece of readPieces(file)) pieces.push(piece)
  return Buffer.concat(pieces)
}

const written = (name: string, bytes: Uint8Array): string => {
  const file = join(root, name)
  writeFileSync(file, bytes)
  return file
}

/** So many blocks that say "128 KiB of zeros" in four bytes each. */
const bomb = (blocks: number): Buffer => {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38])
  const block = Buffer.alloc(4)
  block.writeUIntLE((0x20000 << 3) | (1 << 1), 0, 3)
  return Buffer.concat([header, ...Array.from({ length: blocks }, () => block)])
}

const refusal = async (file: string): Promise<string> => {
  // What is read is let go: a bomb would fill the memory.
  const readOn = async () => {
    for await (const _ of readPieces(file));
  }
  const error = await readOn().catch((thrown: unknown) => thrown)
  assert.instanceOf(error, CompressedInvalid)
  return error.message
}

describe("a compressed file", () => {
  it("is read to the bytes that were compressed; a file of several frames to all of them", async () => {
    assert.isTrue((await readAll(compressed)).equals(original))
    const bytes = readFileSync(compressed)
    const twice = written("twice.jsonl.zst", Buffer.concat([bytes, bytes]))
    assert.isTrue((await readAll(twice)).equals(Buffer.concat([original, original])))
  })

  it("is copied for the life of a scope; a plain file is itself", async () => {
    const copy = await Effect.runPromise(
      Effect.scoped(
        Effect.map(decompressedFile(compressed), (file) => {
          assert.isTrue(readFileSync(file).equals(original))
          return file
        })
      )
    )
    assert.isFalse(existsSync(copy))
    assert.strictEqual(await Effect.runPromise(Effect.scoped(decompressedFile("plain.jsonl"))), "plain.jsonl")
  })

  it("that is cut, empty, or something else is refused with its name", async () => {
    const bytes = readFileSync(compressed)
    for (const [name, content, reason] of [
      ["cut.zst", bytes.subarray(0, bytes.length - 9), /cut\.zst is no whole Zstandard file/],
      ["other.zst", Buffer.from('{"text": "plain"}'), /does not begin as Zstandard files do/],
      ["empty.zst", Buffer.alloc(0), /it is empty/],
      ["bomb.zst", bomb(10_000), /1\d{9} bytes came out of its first \d{5}, more than 1000 times as many/]
    ] as const) {
      assert.match(await refusal(written(name, content)), reason)
    }
    const absent = await Effect.runPromise(Effect.flip(Effect.scoped(decompressedFile(join(root, "absent.zst")))))
    assert.instanceOf(absent, FileFailed)
    assert.strictEqual(absent.code, "ENOENT")
  })
})
