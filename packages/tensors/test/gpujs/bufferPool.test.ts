/** The pool of GPU buffers. */
import { assert, describe, it } from "vitest"
import { makeBufferPool, pooledSize } from "../../src/backends/gpujs/bufferPool.ts"

const pool = (idleBytes: number, most = 2 ** 30) => {
  const destroyed: number[] = []
  let made = 0
  const create = (size: number) => {
    const id = made++
    return { size, id, destroy: () => void destroyed.push(id) }
  }
  return { ...makeBufferPool(create, { idleBytes, most }), destroyed, made: () => made }
}

describe("makeBufferPool", () => {
  it("hands a released buffer to the next of its size", () => {
    const { take, give, made } = pool(2 ** 20)
    const first = take(1000)
    give(first)
    assert.strictEqual(take(1001), first)
    assert.notStrictEqual(take(1000), first)
    assert.strictEqual(made(), 2)
  })

  it("destroys the longest unused beyond its limit", () => {
    const { take, give, destroyed, idleBytes } = pool(2048)
    const buffers = [take(1024), take(1024), take(1024)]
    for (const buffer of buffers) give(buffer)
    assert.deepEqual(destroyed, [0])
    assert.strictEqual(idleBytes(), 2048)
  })

  it("rounds by an eighth at most, and never past the largest binding", () => {
    for (let bytes = 4096; bytes < 2 ** 24; bytes = Math.ceil(bytes * 1.37)) {
      const size = pooledSize(bytes, 2 ** 30)
      assert.isAtLeast(size, bytes)
      assert.isAtMost(size, bytes * 1.125)
    }
    assert.strictEqual(pooledSize(1000, 1000), 1000)
    assert.strictEqual(pooledSize(0, 2 ** 20), 0)
  })
})
