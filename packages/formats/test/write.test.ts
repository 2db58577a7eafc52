import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { bytesOf, elementBytes, Safetensors, type TensorSpec } from "../src/index.ts"
import { arbitraryMetadata, arbitraryTensors, type Example } from "./arbitraryTensors.ts"
import { counting } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0
const newDirectory = (): string => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  return directory
}
const sourceOf = ({ name, dtype, shape, bytes }: Example) => ({ name, dtype, shape, data: Effect.succeed(bytes) })
const u8 = (name: string, size: number) => ({
  name,
  dtype: "U8" as const,
  shape: [size],
  data: Effect.succeed(counting(size))
})

describe("Safetensors.write", () => {
  it("is read back exactly, aligned, the same bytes every time, with the digest it reports", () =>
    fc.assert(
      fc.asyncProperty(arbitraryTensors, arbitraryMetadata, (tensors, metadata) =>
        Effect.runPromise(
          Effect.gen(function* () {
            const directory = newDirectory()
            const paths = [join(directory, "a"), join(directory, "b")] as const
            const written = yield* Safetensors.write(paths[0], tensors.map(sourceOf), { metadata })
            yield* Safetensors.write(paths[1], tensors.map(sourceOf), { metadata })
            const bytes = readFileSync(paths[0])
            assert.isTrue(bytes.equals(readFileSync(paths[1])))
            const sha256 = createHash("sha256").update(bytes).digest("hex")
            assert.deepEqual(written, { file: paths[0], sha256, bytes: bytes.length })
            assert.strictEqual(bytes.readBigUInt64LE(0) % 8n, 0n)

            const file = yield* Safetensors.open(paths[0])
            assert.deepEqual(Object.entries(file.metadata).sort(), Object.entries(metadata).sort())
            assert.sameMembers(
              [...file.tensors.keys()],
              tensors.map(({ name }) => name)
            )
            for (const { name, dtype, shape, bytes } of tensors) {
              const info = file.tensors.get(name)!
              assert.deepEqual({ dtype: info.dtype, shape: info.shape }, { dtype, shape })
              assert.strictEqual(info.byteOffset % elementBytes(dtype), 0)
              assert.isTrue(Buffer.from(yield* file.read(name)).equals(bytes))
            }
            rmSync(directory, { recursive: true })
          }).pipe(Effect.scoped)
        )
      ),
      { seed: 5, numRuns: 60 }
    ))

  it.effect("writes the bytes that the official library writes", () =>
    Effect.gen(function* () {
      const path = join(newDirectory(), "x.safetensors")
      const data = Effect.succeed(bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5)))
      yield* Safetensors.write(path, [{ name: "attn0", dtype: "F32", shape: [1, 1, 2, 3], data }])
      const header = '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}'.padEnd(72)
      const expected = Buffer.concat([
        Buffer.of(72, 0, 0, 0, 0, 0, 0, 0),
        Buffer.from(header),
        bytesOf(Float32Array.of(0, 1, 2, 3, 4, 5))
      ])
      assert.isTrue(readFileSync(path).equals(expected))
      yield* Safetensors.write(path, [], { metadata: { framework: "pt" } })
      const empty = Buffer.concat([
        Buffer.of(40, 0, 0, 0, 0, 0, 0, 0),
        Buffer.from('{"__metadata__":{"framework":"pt"}}     ')
      ])
      assert.isTrue(readFileSync(path).equals(empty))
    })
  )

  it.effect("asks for data in the order of the bytes, chunk by chunk, and lets buffers be used again", () =>
    Effect.gen(function* () {
      const path = join(newDirectory(), "x.safetensors")
      const asked: Array<string> = []
      const chunked = (name: string, dtype: "U8" | "F32", chunks: number) => ({
        name,
        dtype,
        shape: [chunks * 4],
        data: Effect.sync(function* () {
          const buffer = new Uint8Array(4 * elementBytes(dtype))
          for (let i = 0; i < chunks; i++) {
            asked.push(`${name}${i}`)
            yield buffer.fill(i + 1)
          }
        })
      })
      yield* Safetensors.write(path, [chunked("a", "U8", 2), chunked("b", "F32", 2), chunked("c", "U8", 1)])
      // Larger elements first, so that each tensor is aligned; otherwise as declared.
      assert.deepEqual(asked, ["b0", "b1", "a0", "a1", "c0"])
      const file = yield* Safetensors.open(path)
      assert.deepEqual([...file.tensors.keys()], ["b", "a", "c"])
      assert.deepEqual([...(yield* file.read("a"))], [1, 1, 1, 1, 2, 2, 2, 2])
      assert.deepEqual(yield* file.read("b", { bytes: [15, 17] }), Uint8Array.of(1, 2))
    })
  )

  it.effect("refuses data of another size and keeps the previous file", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const path = join(directory, "x.safetensors")
      yield* Safetensors.write(path, [u8("old", 3)])
      const before = readFileSync(path)
      const endless = Effect.sync(function* () {
        for (;;) yield new Uint8Array(1000)
      })
      const wrong = [
        [Effect.succeed(new Uint8Array(9)), "its data gave at least 9 bytes, dtype and shape take 8"],
        [Effect.succeed(new Uint8Array(7)), "its data gave 7 bytes, dtype and shape take 8"],
        [Effect.succeed([]), "its data gave 0 bytes, dtype and shape take 8"],
        [endless, "its data gave at least 1000 bytes"]
      ] as const
      for (const [data, reason] of wrong) {
        const error = yield* Effect.flip(
          Safetensors.write(path, [u8("good", 2), { name: "bad", dtype: "F32", shape: [2], data }])
        )
        assert.strictEqual(error._tag, "SafetensorsInvalid")
        assert.include(error.message, `${path}: tensor "bad": ${reason}`)
      }
      const failed = { ...u8("failing", 2), data: Effect.fail("device lost" as const) }
      assert.strictEqual(yield* Effect.flip(Safetensors.write(path, [u8("good", 2), failed])), "device lost")
      assert.isTrue(readFileSync(path).equals(before))
      assert.deepEqual(readdirSync(directory), ["x.safetensors"])
    })
  )

  it.effect("refuses, before writing anything, what no reader could read", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const refuses = Effect.fnUntraced(function* (specs: ReadonlyArray<TensorSpec>, reason: string, metadata = {}) {
        const tensors = specs.map((spec) => ({ ...spec, data: Effect.succeed(new Uint8Array(0)) }))
        const error = yield* Effect.flip(Safetensors.write(join(directory, "x"), tensors, { metadata }))
        assert.strictEqual(error._tag, "SafetensorsInvalid")
        assert.include(error.message, reason)
        assert.deepEqual(readdirSync(directory), [])
      })
      const empty = (name: string, shape: ReadonlyArray<number> = [0]): TensorSpec => ({ name, dtype: "F32", shape })
      yield* refuses([empty("a"), empty("b"), empty("a")], 'the key "a" appears twice')
      yield* refuses([empty("__metadata__")], "expected a string")
      yield* refuses([empty("\ud800")], "invalid escape")
      yield* refuses([empty("a", [-1, -1])], 'tensor "a": the header is not valid: expected a whole number')
      yield* refuses([empty("a", [0.5, 2])], 'tensor "a": shape [0.5, 2] is not of whole numbers')
      yield* refuses([empty("a", [Number.NaN])], 'tensor "a"')
      yield* refuses(
        [empty("a", [2 ** 52])],
        'tensor "a": shape [4503599627370496] is not of whole numbers, or the file would pass 2^53 - 1 bytes'
      )
      yield* refuses([empty("a")], "expected a string", { key: 1 })
    })
  )
})

describe("Safetensors.writeModel", () => {
  const files = (directory: string) => readdirSync(directory).sort()
  const index = "model.safetensors.index.json"
  const shard = (i: number, n: number) => `model-0000${i}-of-0000${n}.safetensors`

  it.effect("writes one file when it fits, in a directory of its making", () =>
    Effect.gen(function* () {
      const directory = join(newDirectory(), "deep", "model")
      const written = yield* Safetensors.writeModel(directory, [u8("a", 5), u8("b", 6)], { metadata: { by: "test" } })
      assert.deepEqual(files(directory), ["model.safetensors"])
      assert.deepEqual(
        written.map(({ file }) => file),
        [join(directory, "model.safetensors")]
      )
      const model = yield* Safetensors.openModel(directory)
      assert.deepEqual(model.metadata, { format: "pt", by: "test" })
      assert.deepEqual(yield* model.read("b"), counting(6))
    })
  )

  it.effect("writes shards and their index as the hub lays them out", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const tensors = [u8("10", 6), u8("b", 4), u8("huge", 25), u8("9", 1), u8("a", 9)]
      const written = yield* Safetensors.writeModel(directory, tensors, { maxShardBytes: 10 })
      assert.deepEqual(files(directory), [shard(1, 3), shard(2, 3), shard(3, 3), index])
      assert.deepEqual(
        written.map(({ file }) => file),
        files(directory).map((name) => join(directory, name))
      )
      for (const { file, sha256, bytes } of written) {
        const there = readFileSync(file)
        assert.strictEqual(bytes, there.length)
        assert.strictEqual(sha256, createHash("sha256").update(there).digest("hex"))
      }
      assert.strictEqual(
        readFileSync(join(directory, index), "utf8"),
        `{
  "metadata": {
    "total_size": 45
  },
  "weight_map": {
    "10": "${shard(1, 3)}",
    "9": "${shard(3, 3)}",
    "a": "${shard(3, 3)}",
    "b": "${shard(1, 3)}",
    "huge": "${shard(2, 3)}"
  }
}
`
      )
      const model = yield* Safetensors.openModel(directory)
      for (const { name, data } of tensors) assert.deepEqual(yield* model.read(name), yield* data)
    })
  )

  it.effect("replaces a model of other shards whole, and leaves other files alone", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      writeFileSync(join(directory, "config.json"), "{}")
      const model = (value: number) =>
        ["a", "b", "c"].map((name) => ({ ...u8(name, 4), data: Effect.succeed(new Uint8Array(4).fill(value)) }))
      const check = Effect.fnUntraced(function* (value: number, names: ReadonlyArray<string>) {
        assert.deepEqual(files(directory), ["config.json", ...names].sort())
        const opened = yield* Safetensors.openModel(directory)
        for (const name of ["a", "b", "c"]) assert.deepEqual(yield* opened.read(name), new Uint8Array(4).fill(value))
      }, Effect.scoped)
      yield* Safetensors.writeModel(directory, model(1), { maxShardBytes: 4 })
      yield* check(1, [shard(1, 3), shard(2, 3), shard(3, 3), index])
      yield* Safetensors.writeModel(directory, model(2), { maxShardBytes: 8 })
      yield* check(2, [shard(1, 2), shard(2, 2), index])
      yield* Safetensors.writeModel(directory, model(3))
      yield* check(3, ["model.safetensors"])
      yield* Safetensors.writeModel(directory, model(4), { maxShardBytes: 8 })
      yield* check(4, [shard(1, 2), shard(2, 2), index])
    })
  )

  it.effect("leaves no index over shards that could not all be replaced", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const tensors = [u8("a", 4), u8("b", 4)]
      yield* Safetensors.writeModel(directory, tensors, { maxShardBytes: 4 })
      rmSync(join(directory, shard(2, 2)))
      mkdirSync(join(directory, shard(2, 2)))
      const error = yield* Effect.flip(Safetensors.writeModel(directory, tensors, { maxShardBytes: 4 }))
      assert.include(error.message, "cannot rename")
      assert.deepEqual(files(directory), [shard(1, 2), shard(2, 2)])
      assert.strictEqual((yield* Effect.flip(Safetensors.openModel(directory)))._tag, "FileFailed")
    })
  )

  it.effect("leaves the previous model when a late shard fails, or a name is in two shards", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      yield* Safetensors.writeModel(directory, [u8("a", 4), u8("b", 4)], { maxShardBytes: 4 })
      const before = files(directory).map((name) => [name, readFileSync(join(directory, name), "hex")])
      const failing = { ...u8("b", 4), data: Effect.fail("device lost" as const) }
      const late = Safetensors.writeModel(directory, [u8("x", 4), failing], { maxShardBytes: 4 })
      assert.strictEqual(yield* Effect.flip(late), "device lost")
      const twice = Safetensors.writeModel(directory, [u8("a", 4), u8("a", 4)], { maxShardBytes: 4 })
      assert.include((yield* Effect.flip(twice)).message, 'the key "a" appears twice')
      assert.deepEqual(
        files(directory).map((name) => [name, readFileSync(join(directory, name), "hex")]),
        before
      )
    })
  )
})
