import { assert, describe, it } from "vitest"
import { aligned, alignment, FreeList } from "../../src/backends/native/FreeList.ts"
import { Random } from "../../src/index.ts"

const start = 65_600
const end = start + 2 ** 22

/** Live blocks must lie inside, be aligned, and not touch each other. */
const assertApart = (live: ReadonlyMap<number, number>): void => {
  const blocks = [...live].sort(([a], [b]) => a - b)
  let free = start
  for (const [offset, bytes] of blocks) {
    assert.strictEqual(offset % alignment, 0)
    assert.isAtLeast(offset, free)
    free = offset + bytes
  }
  assert.isAtMost(free, end)
}

describe("FreeList", () => {
  it.each([1, 2, 3])("keeps blocks apart and loses no byte, seed %i", (seed) => {
    const random = Random.make(seed, "FreeList")
    const list = new FreeList(start, end)
    const live = new Map<number, number>()
    let failures = 0
    for (let step = 0; step < 4000; step++) {
      if (random.nextUniform() < 0.55) {
        const bytes = Math.floor(2 ** (random.nextUniform() * 19))
        const offset = list.allocate(bytes, random.nextUniform() < 0.3)
        if (offset === undefined) failures++
        else {
          assert.isFalse(live.has(offset))
          live.set(offset, aligned(bytes))
        }
      } else if (live.size > 0) {
        const [offset] = [...live.keys()].slice(Math.floor(random.nextUniform() * live.size))
        list.free(offset!)
        live.delete(offset!)
      }
      if (step % 97 === 0) assertApart(live)
      const used = [...live.values()].reduce((sum, bytes) => sum + bytes, 0)
      assert.strictEqual(list.usedBytes, used)
    }
    assert.isAbove(failures, 0, "the memory was never full: nothing was tried")
    for (const offset of live.keys()) list.free(offset)
    assert.strictEqual(list.usedBytes, 0)
    assert.strictEqual(list.largest(), list.capacity, "free blocks have not merged again")
    assert.isDefined(list.allocate(list.capacity))
  })

  it("gives back what was freed last, while it is in the cache", () => {
    const list = new FreeList(0, 2 ** 20)
    const [a, b] = [list.allocate(4096)!, list.allocate(4096)!]
    list.allocate(64)
    list.free(b)
    assert.strictEqual(list.allocate(4096), b)
    list.free(a)
    assert.strictEqual(list.allocate(4096), a)
  })

  it("takes from the upper end what is asked from there", () => {
    const list = new FreeList(0, 2 ** 20)
    const [low, high] = [list.allocate(100)!, list.allocate(100, true)!]
    assert.strictEqual(low, 0)
    assert.strictEqual(high, 2 ** 20 - aligned(100))
  })

  it("says no when nothing is large enough, and refuses to free twice", () => {
    const list = new FreeList(0, 4096)
    assert.isUndefined(list.allocate(4097))
    const offset = list.allocate(4096)!
    assert.isUndefined(list.allocate(1))
    list.free(offset)
    assert.throws(() => list.free(offset), /no block is in use/)
  })

  it("gives an empty tensor a place of its own", () => {
    const list = new FreeList(0, 4096)
    assert.notStrictEqual(list.allocate(0), list.allocate(0))
  })
})
