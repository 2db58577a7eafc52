/** Memory that no tensor uses goes back to the system; tensors keep their values. */
import { assert, describe, it } from "vitest"
import { makeNativeBackend, tensor, zeros } from "../../src/index.ts"

const elements = 2 ** 25

describe("trim", () => {
  it("gives back what was released, and nothing else", async () => {
    const backend = await makeNativeBackend({ threads: 1, blas: "none" })
    const kept = tensor(backend, new Float32Array(elements).fill(3), [elements])
    const released = [1, 2].map((value) => tensor(backend, new Float32Array(elements).fill(value), [elements]))
    const between = tensor(backend, [4, 5, 6], [3])
    for (const each of released) each.release()
    const before = process.memoryUsage.rss()
    backend.trim()
    const after = process.memoryUsage.rss()
    if (process.platform === "linux") assert.isAbove(before - after, 1.9 * 4 * elements)
    assert.deepStrictEqual(Array.from(await between.read()), [4, 5, 6])
    assert.isTrue((await kept.read()).every((value) => value === 3))
    const again = zeros(backend, [elements])
    assert.isTrue((await again.read()).every((value) => value === 0))
    for (const each of [kept, between, again]) each.release()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })
})
