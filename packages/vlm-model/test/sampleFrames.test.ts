import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { clipFrames, sampleFrames } from "../src/index.ts"
import { uniformBelow, uniformBetween } from "../src/model/RandomSource.ts"
import { randomSource } from "./randomSource.ts"

describe("sampleFrames", () => {
  it("takes the middle of equal intervals", () => {
    assert.deepEqual(sampleFrames(100, 4, "middle", randomSource(1)), [12, 37, 62, 87])
    assert.deepEqual(sampleFrames(10, 3, "middle", randomSource(1)), [1, 4, 7])
    assert.deepEqual(sampleFrames(3, 3, "middle", randomSource(1)), [0, 1, 2])
  })

  it("repeats the last frame of a short video", () => {
    assert.deepEqual(sampleFrames(3, 6, "middle", randomSource(1)), [0, 1, 2, 2, 2, 2])
    assert.deepEqual(sampleFrames(2, 4, "rand", randomSource(1)), [0, 1, 1, 1])
  })

  it("takes one frame of each interval at random, never its last", () => {
    const count = fc.integer({ min: 1, max: 32 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), count, fc.integer(), (available, wanted, seed) => {
        const indices = sampleFrames(available, wanted, "rand", randomSource(seed))
        assert.strictEqual(indices.length, wanted)
        assert.deepEqual(
          indices,
          [...indices].sort((a, b) => a - b)
        )
        assert.isTrue(indices.every((index) => Number.isInteger(index) && index >= 0 && index < available))
        const n = Math.min(wanted, available)
        assert.strictEqual(new Set(indices).size, n)
        if (Math.floor(available / n) < 2) return
        for (let i = 0; i < n; i++) {
          const end = i + 1 === n ? available : Math.trunc((i + 1) * (available / n))
          assert.isTrue(indices[i]! >= Math.trunc(i * (available / n)) && indices[i]! < end - 1)
        }
      }),
      { seed: 31, numRuns: 2000 }
    )
  })

  it("depends on the random stream alone", () => {
    const draw = (seed: number) => sampleFrames(500, 16, "rand", randomSource(seed))
    assert.deepEqual(draw(5), draw(5))
    assert.notDeepEqual(draw(5), draw(6))
    assert.throws(() => sampleFrames(0, 4, "rand", randomSource(1)), RangeError)
  })

  it("cuts clips by time", () => {
    assert.deepEqual(clipFrames([1.5, 4], 10), { first: 15, count: 25 })
    assert.deepEqual(clipFrames([0.99, 1], 29.97), { first: 29, count: 0 })
  })
})

describe("uniformBelow", () => {
  it("is without bias and within bounds", () => {
    // 2^32 mod 3 is 1: the largest value must be drawn again.
    const values = [0xffffffff, 5]
    assert.strictEqual(uniformBelow({ nextUint32: () => values.shift()! }, 3), 2)
    const counts = new Array<number>(6).fill(0)
    const random = randomSource(3)
    for (let i = 0; i < 6000; i++) counts[uniformBetween(random, 10, 15) - 10]!++
    assert.isTrue(
      counts.every((count) => count > 850 && count < 1150),
      String(counts)
    )
  })
})
