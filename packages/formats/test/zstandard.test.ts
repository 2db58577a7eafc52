/** Compressed files: the same bytes as the file that was compressed, in pieces or as a temporary copy, and whatever is not whole refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { ZstandardFrames } from "../src/files/zstandardFrames.ts"
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

/** A frame with this window, whose blocks hold nothing. */
const frame = (exponent: number, blocks: number): Buffer => {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3])
  const last = Buffer.from([1, 0, 0])
  return Buffer.concat([header, Buffer.alloc(3 * (blocks - 1)), last])
}
/** A frame whose content of so many bytes is its own window. */
const single = (bytes: number): Buffer => {
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(bytes))
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0]), size, Buffer.from([1, 0, 0])])
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

  it("is read whatever pieces its frames come in, and what no frame holds is left out", async () => {
    const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7])
    const bytes = Buffer.concat([skipped, readFileSync(compressed), skipped])
    const pieces = (length: number) =>
      Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
        bytes.subarray(at * length, (at + 1) * length)
      )
    const frames = (length: number) => {
      const followed = new ZstandardFrames("x.zst")
      const parts = pieces(length).flatMap((piece) => [...followed.parts(piece)])
      followed.end()
      return { bytes: Buffer.concat(parts), moved: followed.moved }
    }
    assert.deepStrictEqual(frames(1), frames(bytes.length))
    assert.isTrue(frames(7).bytes.equals(bytes))
    assert.isTrue((await readAll(written("skipped.zst", bytes))).equals(original))
  })

  it("gets no more room than it needs: windows have a limit, also when many are asked for", async () => {
    const before = process.memoryUsage().arrayBuffers
    for (const [name, content, reason] of [
      ["window.zst", frame(31, 1), /asks for a window of 2147483648 bytes, more than the 134217728 that are given/],
      ["terabyte.zst", frame(41, 1), /window of 2199023255552 bytes/],
      ["segment.zst", single(2 ** 28), /window of 268435456 bytes/],
      ["later.zst", Buffer.concat([readFileSync(compressed), frame(28, 1)]), /window of 268435456 bytes/],
      ["blocks.zst", frame(27, 100_000), /blocks of next to nothing in windows of \d+ bytes together/],
      ["frames.zst", Buffer.concat(Array.from({ length: 50_000 }, () => frame(25, 1))), /next to nothing/]
    ] as const) {
      assert.match(await refusal(written(name, content)), reason, name)
    }
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 2 ** 30)
    assert.strictEqual((await readAll(written("small.zst", frame(27, 1)))).length, 0)
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
