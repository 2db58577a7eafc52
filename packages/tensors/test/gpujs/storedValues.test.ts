/** Elements as GPU.js programs compute with them. */
import { assert, describe, it } from "vitest"
import { toBytes, toNumbers } from "../../src/backends/gpujs/storedValues.ts"

describe("stored values", () => {
  it("as many as a large embedding has are converted", () => {
    // `from` of a typed array ends below this.
    const count = 2 ** 27 + 1
    const bytes = new Uint8Array(2 * count)
    bytes.set([0x80, 0x3f], 2 * (count - 1))
    const numbers = toNumbers("bf16", bytes)
    assert.deepStrictEqual([numbers.length, numbers[0], numbers[count - 1]], [count, 0, 1])
  })

  it.each([
    ["bf16", [0x80, 0x3f, 0xc0, 0x7f]],
    ["f16", [0x00, 0x3c, 0x00, 0x7e]]
  ] as const)("%s goes to numbers and back, NaN as the usual one", (dtype, bytes) => {
    const stored = Uint8Array.from(bytes)
    const numbers = toNumbers(dtype, stored)
    assert.deepStrictEqual([...numbers], [1, Number.NaN])
    assert.deepStrictEqual(toBytes(dtype, numbers), stored)
  })
})
