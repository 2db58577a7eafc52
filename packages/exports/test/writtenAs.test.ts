/** Numbers as an export writes them, and how far they are from those that the run computes with. */
import { embeddingSym4, n2f3, type PackedWeight, type QuantizerChoice } from "@speedq/quantizers"
import { openBackend, type Parameters, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { type Writing, writtenAs } from "../src/exporter/writtenAs.ts"
import { type Difference, packNearest } from "../src/index.ts"

/** All pieces, and the difference. */
const collect = async (numbers: Tensor | PackedWeight, writing: Omit<Writing, "done">) => {
  let difference: Difference | undefined
  const pieces: Uint8Array[] = []
  const done = (found: Difference) => {
    difference = found
  }
  for await (const piece of writtenAs(numbers, { ...writing, done })) pieces.push(piece.slice())
  return { pieces, bytes: Buffer.concat(pieces), difference: difference! }
}

describe("a tensor as it is written", () => {
  it("has the bytes of its format, and the largest difference that makes", async () => {
    const backend = await openBackend("reference")
    const numbers: Parameters = {
      exact: tensor(backend, [1, -0.5, 0, 3], [4]),
      // Between 1 and 2 numbers of bf16 are 2^-7 apart.
      between: tensor(backend, [1, 1 + 2 ** -9, -1 - 3 * 2 ** -9, 0], [2, 2]),
      wide: tensor(backend, [1e6], [1]),
      none: tensor(backend, [1, Number.NaN], [2])
    }
    const differenceOf = async (name: string, dtype: "bf16" | "f16" | "f32") =>
      (await collect(numbers[name]!, { dtype })).difference.maxAbsErr
    assert.strictEqual(await differenceOf("exact", "bf16"), 0)
    assert.strictEqual(await differenceOf("between", "bf16"), 2 ** -9)
    assert.strictEqual(await differenceOf("between", "f32"), 0)
    assert.strictEqual(await differenceOf("wide", "f16"), Number.POSITIVE_INFINITY)
    assert.isNaN(await differenceOf("none", "bf16"))
    // Of [1, 1 + 2^-9, -1 - 3 2^-9, 0] two numbers move by 2^-9.
    const { relErr } = (await collect(numbers.between!, { dtype: "bf16" })).difference
    assert.closeTo(relErr, (Math.sqrt(2) * 2 ** -9) / Math.sqrt(1 + (1 + 2 ** -9) ** 2 + (1 + 3 * 2 ** -9) ** 2), 1e-8)
    const { bytes } = await collect(numbers.exact!, { dtype: "bf16" })
    assert.deepStrictEqual([...bytes], [...new Uint8Array(Uint16Array.of(0x3f80, 0xbf00, 0, 0x4040).buffer)])
    for (const each of Object.values(numbers)) each.release()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })
})

describe("a large matrix as it is written", () => {
  const [rows, columns] = [3000, 1024]
  const values = Float32Array.from({ length: rows * columns }, (_, at) => Math.sin(at) * (1 + (at % 7)))
  const halved = (whole: Float32Array) => {
    const words = new Uint32Array(whole.buffer.slice(0))
    return Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
  }
  const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength)

  it("comes in pieces of rows that make the whole, in every format, and some rows alone", async () => {
    const backend = await openBackend("native:none")
    const whole = tensor(backend, values, [rows, columns])
    const short = halved(values)
    const { pieces, bytes, difference } = await collect(whole, { dtype: "bf16" })
    assert.deepStrictEqual(
      pieces.map(({ length }) => length / columns / 2),
      [1024, 1024, 952]
    )
    assert.isTrue(bytes.equals(bytesOf(short)))
    const widened = new Float32Array(Uint32Array.from(short, (half) => half << 16).buffer)
    const errors = widened.map((value, at) => value - values[at]!)
    const norm = (numbers: Float32Array) => Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0))
    assert.strictEqual(
      difference.maxAbsErr,
      errors.reduce((most, error) => Math.max(most, Math.abs(error)), 0)
    )
    assert.closeTo(difference.relErr, norm(errors) / norm(values), 1e-7)
    const some = await collect(whole, { dtype: "bf16", rows: { from: 1000, to: 2500 } })
    assert.isTrue(some.bytes.equals(bytesOf(short.subarray(1000 * columns, 2500 * columns))))
    const stored = await collect(whole, { dtype: "f32" })
    assert.isTrue(stored.bytes.equals(bytesOf(values)))
    assert.lengthOf(stored.pieces, 3)
    whole.release()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })

  it.each<readonly [string, QuantizerChoice]>([
    ["by rows", embeddingSym4({ group: 32 })],
    ["by rows, codebooks", n2f3({ group: 64 })]
  ])("is quantized and unpacked %s, to the bits of the whole", async (_, choice) => {
    const backend = await openBackend("native:none")
    const whole = tensor(backend, values, [rows, columns])
    const first = tensor(backend, values.subarray(0, 1000 * columns), [1000, columns])
    const [packed, part] = [await packNearest("w", choice, whole), await packNearest("w", choice, first)]
    const [all, some] = [packed.unpack(), part.unpack()]
    const expected = bytesOf((await all.read()) as Float32Array)
    assert.isTrue((await collect(packed, { dtype: "f32" })).bytes.equals(expected))
    // 1000 rows are one piece, so that they were quantized at once.
    assert.isTrue(bytesOf((await some.read()) as Float32Array).equals(expected.subarray(0, 1000 * columns * 4)))
    for (const each of [whole, first, packed, part, all, some]) each.release()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })
})
