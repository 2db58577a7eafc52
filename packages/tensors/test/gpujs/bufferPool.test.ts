/** The pool of GPU buffers. */
import { assert, describe, it } from "vitest"
import { makeBufferPool, pooledSize } from "../../src/backends/gpujs/webgpu/bufferPool.ts"

const pool = (spareBytes: number, most = 2 ** 30, limit?: () => number | undefined) => {
  const destroyed: number[] = []
  let made = 0
  const create = (size: number) => ({ size, id: made++ })
  const destroy = ({ id }: { readonly id: number }) => void destroyed.push(id)
  return {
    ...makeBufferPool({ create, destroy, spareBytes, most, ...(limit ? { limit } : {}) }),
    destroyed,
    made: () => made
  }
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

  it("takes the one made first, whatever the order of releases, so that every step takes the same ones", () => {
    const { take, give } = pool(2 ** 20)
    const step = (order: readonly number[]) => {
      const taken = [take(1024), take(1024), take(4096), take(1024)]
      for (const index of order) give(taken[index]!)
      return taken.map(({ id }) => id)
    }
    const first = step([0, 1, 2, 3])
    for (const order of [
      [3, 1, 0, 2],
      [1, 3, 2, 0],
      [2, 0, 3, 1]
    ])
      assert.deepEqual(step(order), first)
  })

  it("keeps what a step gives back, however much, and destroys none in the next like it", () => {
    const { take, give, destroyed, made } = pool(1024)
    const step = () => {
      const taken = Array.from({ length: 100 }, (_, i) => take(1024 * (1 + (i % 10))))
      for (const buffer of taken) give(buffer)
    }
    for (let i = 0; i < 3; i++) step()
    assert.deepEqual([made(), destroyed], [100, []])
  })

  it("destroys the longest unused where more is held than was used at the most, and what may be spare", () => {
    const { take, give, destroyed, idleBytes } = pool(1024)
    const buffers = [take(1024), take(1024), take(1024)]
    for (const index of [1, 0, 2]) give(buffers[index]!)
    const other = take(2048)
    assert.deepEqual([destroyed, idleBytes()], [[1], 2048], "3072 were used at the most")
    const large = take(32 * 1024)
    assert.deepEqual([destroyed, idleBytes()], [[1], 2048], "34816 are, and an eighth may be spare")
    give(other)
    take(512)
    assert.deepEqual([take(1024), take(1024)], [buffers[0]!, buffers[2]!], "those that are left serve on")
    give(large)
    assert.deepEqual(destroyed, [1])
  })

  it("holds no more than the device has, once that is known", () => {
    let known: number | undefined
    const { take, give, destroyed, idleBytes } = pool(2 ** 20, 2 ** 30, () => known)
    for (const buffer of [take(1024), take(1024), take(1024)]) give(buffer)
    assert.deepEqual([destroyed, idleBytes()], [[], 3072])
    known = 4096
    const large = take(2048)
    assert.deepEqual([destroyed, idleBytes()], [[0], 2048], "2048 of 4096 are used")
    const larger = take(4096)
    assert.deepEqual([destroyed, idleBytes()], [[0, 1, 2], 0], "what is needed is taken all the same")
    give(larger)
    give(large)
    assert.deepEqual([destroyed, idleBytes()], [[0, 1, 2, 4], 2048])
  })

  it("counts from new once it is cleared", () => {
    const { take, give, destroyed, clear } = pool(1024)
    give(take(2 ** 16))
    clear()
    const buffers = [take(1024), take(1024), take(1024)]
    for (const buffer of buffers) give(buffer)
    take(2048)
    assert.deepEqual(destroyed, [0, 1], "of 3072 and 1024 that may be held")
  })

  it("keeps nothing once it is cleared", () => {
    const { take, give, destroyed, idleBytes, clear } = pool(2 ** 20)
    for (const buffer of [take(256), take(512)]) give(buffer)
    clear()
    assert.deepEqual([destroyed, idleBytes()], [[0, 1], 0])
    assert.strictEqual(take(256).id, 2)
  })

  it("hands out one that is larger by an eighth at most, the nearest, rather than make another", () => {
    const { take, give, made } = pool(2 ** 26)
    const sizes = [32, 34, 35, 37].map((part) => take(part * 2 ** 15))
    for (const buffer of sizes) give(buffer)
    assert.strictEqual(take(33 * 2 ** 15), sizes[1])
    assert.strictEqual(take(33 * 2 ** 15), sizes[2])
    assert.strictEqual(made(), 4)
    assert.strictEqual(take(32 * 2 ** 15), sizes[0])
    assert.strictEqual(take(32 * 2 ** 15).id, 4, "the last one is too large")
  })

  it("makes few buffers for steps of lengths that vary a little", () => {
    const { take, give, made } = pool(2 ** 30)
    for (const length of [512, 480, 500, 470, 511, 490]) {
      const taken = [take(4 * 896 * length), take(4 * 4864 * length)]
      for (const buffer of taken) give(buffer)
    }
    assert.strictEqual(made(), 2)
  })

  it("rounds by a 32nd at most, and never past the largest binding", () => {
    for (let bytes = 2 ** 14; bytes < 2 ** 24; bytes = Math.ceil(bytes * 1.37)) {
      const size = pooledSize(bytes, 2 ** 30)
      assert.isAtLeast(size, bytes)
      assert.isAtMost(size, bytes * (1 + 1 / 32))
    }
    assert.strictEqual(pooledSize(1000, 1000), 1000)
    assert.strictEqual(pooledSize(0, 2 ** 20), 0)
  })
})
