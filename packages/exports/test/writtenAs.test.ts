/** Numbers as an export writes them, and how far they are from those that the run computes with. */
import { openBackend, type Parameters, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { writtenAs } from "../src/exporter/entries.ts"

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
      (await writtenAs(numbers[name]!.alias(), dtype)).difference.maxAbsErr
    assert.strictEqual(await differenceOf("exact", "bf16"), 0)
    assert.strictEqual(await differenceOf("between", "bf16"), 2 ** -9)
    assert.strictEqual(await differenceOf("between", "f32"), 0)
    assert.strictEqual(await differenceOf("wide", "f16"), Number.POSITIVE_INFINITY)
    assert.isNaN(await differenceOf("none", "bf16"))
    // Of [1, 1 + 2^-9, -1 - 3 2^-9, 0] two numbers move by 2^-9.
    const { relErr } = (await writtenAs(numbers.between!.alias(), "bf16")).difference
    assert.closeTo(relErr, (Math.sqrt(2) * 2 ** -9) / Math.sqrt(1 + (1 + 2 ** -9) ** 2 + (1 + 3 * 2 ** -9) ** 2), 1e-8)
    const { bytes } = await writtenAs(numbers.exact!.alias(), "bf16")
    assert.deepStrictEqual([...new Uint16Array(bytes.buffer)], [0x3f80, 0xbf00, 0, 0x4040])
    for (const each of Object.values(numbers)) each.release()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })
})
