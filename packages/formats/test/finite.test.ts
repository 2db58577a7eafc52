/** Weights with NaN or infinity are refused as they are read, wherever in a tensor they are; finite ones arrive bit for bit. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { ReadRefused, TensorNotFinite } from "../src/Errors.ts"
import { bytesOf, elementBytes } from "../src/numbers/DType.ts"
import { encodeFloats, type FloatDType } from "../src/numbers/floats.ts"
import { largestMagnitude } from "../src/numbers/magnitude.ts"
import { openFileSync } from "../src/safetensors/SafetensorsFile.ts"
import type { Range } from "../src/safetensors/TensorStore.ts"
import { write } from "../src/safetensors/write.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const directory = temporaryDirectory()
let files = 0

const dtypes: readonly FloatDType[] = ["F32", "BF16", "F16", "F64"]
const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY]

/** Zero, small and large numbers of either sign, the largest that every dtype holds among them. */
const plain = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => [0, -0, 1e-7, -1.5, 60000, -65504][i % 6]!)

const read = async (dtype: FloatDType, values: Float32Array, shape: readonly number[], range?: Range) => {
  const path = join(directory, `${files++}.safetensors`)
  const bytes = encodeFloats(dtype, values)
  await Effect.runPromise(write(path, [{ name: "w", dtype, shape, data: Effect.succeed(bytes) }]))
  const store = openFileSync(path)
  try {
    const [from, to] = range !== undefined && "bytes" in range ? range.bytes : [0, bytes.length]
    const target = new Uint8Array(to - from)
    store.readFiniteInto("w", target, range)
    return { path, bytes: bytes.subarray(from, to), target }
  } finally {
    store.close()
  }
}

const refused = async (reading: Promise<unknown>): Promise<unknown> =>
  reading.then(
    () => assert.fail("it was read"),
    (error: unknown) => error
  )

describe("readFiniteInto", () => {
  // 1 MiB is looked at together, 64 bytes in a step: tensors below, at and beyond both.
  it.each(dtypes)("%s: finite numbers arrive bit for bit, whatever their count", async (dtype) => {
    const piece = 2 ** 20 / elementBytes(dtype)
    for (const count of [0, 1, 7, 31, 64, piece - 1, piece, piece + 5]) {
      const { bytes, target } = await read(dtype, plain(count), [count])
      assert.isTrue(Buffer.from(bytes).equals(target), `${count}`)
    }
  })

  it.each(dtypes)("%s: NaN and infinity are counted, at any place", async (dtype) => {
    const piece = 2 ** 20 / elementBytes(dtype)
    const columns = 9
    const rows = Math.ceil((piece + 100) / columns)
    for (const place of [0, 1, 33, piece - 1, piece, rows * columns - 1]) {
      for (const value of [nan, infinity, -infinity]) {
        const values = plain(rows * columns)
        values[place] = value
        const error = await refused(read(dtype, values, [rows, columns]))
        assert.instanceOf(error, TensorNotFinite)
        const { nan: nans, infinite, firstIndex, elements, tensor } = error
        assert.deepStrictEqual([nans, infinite], Number.isNaN(value) ? [1, 0] : [0, 1])
        assert.deepStrictEqual(firstIndex, [Math.floor(place / columns), place % columns])
        assert.deepStrictEqual([tensor, elements], ["w", rows * columns])
      }
    }
  })

  it("says file, tensor, counts, place and what to do", async () => {
    const values = plain(24)
    values.set([nan, infinity, nan], 10)
    const { message, file } = (await refused(read("BF16", values, [2, 3, 4]))) as TensorNotFinite
    const told = `${file}: tensor "w" has 2 NaN and 1 infinite of its 24 numbers, the first at [0, 2, 2]; the checkpoint is damaged: copy or download it again`
    assert.include(message, told)
  })

  it("looks at a part of a tensor, and counts in all of it", async () => {
    const values = plain(10)
    values[2] = nan
    values[7] = infinity
    const { bytes, target } = await read("F16", values, [10], { bytes: [6, 14] })
    assert.isTrue(Buffer.from(bytes).equals(target))
    const error = (await refused(read("F16", values, [10], { bytes: [6, 16] }))) as TensorNotFinite
    assert.deepStrictEqual([error.nan, error.infinite, error.firstIndex], [1, 1, [2]])
    assert.instanceOf(await refused(read("F16", values, [10], { bytes: [5, 14] })), ReadRefused)
  })

  it("reads whole numbers as they are", async () => {
    const path = join(directory, "integers.safetensors")
    const bytes = bytesOf(Int32Array.of(-1, 0x7fc00000))
    await Effect.runPromise(write(path, [{ name: "n", dtype: "I32", shape: [2], data: Effect.succeed(bytes) }]))
    const store = openFileSync(path)
    const target = new Uint8Array(8)
    store.readFiniteInto("n", target)
    store.close()
    assert.deepStrictEqual(target, bytes)
  })
})

describe("largestMagnitude", () => {
  it.each(["F32", "BF16", "F16"] as const)("%s: sign and order do not matter", (dtype) => {
    const of = (...values: readonly number[]) => largestMagnitude(dtype, encodeFloats(dtype, Float32Array.from(values)))
    assert.strictEqual(of(), 0)
    assert.strictEqual(of(0, -0), 0)
    assert.strictEqual(of(1, -3, 2), 3)
    assert.strictEqual(of(...plain(200)), 65504 + (dtype === "BF16" ? 32 : 0))
    assert.strictEqual(of(1, -infinity, 2), infinity)
    assert.isNaN(of(infinity, nan, 2))
  })
})
