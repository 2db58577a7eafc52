/** Seeded random numbers: the same everywhere, saved and continued, with the moments they claim. */
import { assert, describe, it } from "vitest"
import { Random } from "../src/index.ts"

const draw = (random: Random, count: number): readonly number[] =>
  Array.from({ length: count }, () => random.nextUint32())

describe("Random", () => {
  it("follows xoshiro128** from a given state", () => {
    // The published step, by hand: the result is rotl(5 b, 7) 9; 0 comes from b = 0.
    const random = Random.restore({ words: [1, 2, 3, 4], spare: null })
    assert.deepEqual(draw(random, 2), [11520, 0])
    let [a, b, c, d] = [1, 2, 3, 4]
    for (let i = 0; i < 2; i++) {
      const shifted = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= shifted
      d = (d << 11) | (d >>> 21)
    }
    assert.deepEqual(
      [...random.save().words],
      [a, b, c, d].map((word) => word >>> 0)
    )
  })

  it("gives one sequence a seed and stream, another to others", () => {
    const first = draw(Random.make(7, "data"), 8)
    assert.deepEqual(draw(Random.make(7, "data"), 8), first)
    assert.notDeepEqual(draw(Random.make(7, "drop"), 8), first)
    assert.notDeepEqual(draw(Random.make(8, "data"), 8), first)
    assert.notDeepEqual(draw(Random.make(7 + 2 ** 32, "data"), 8), first)
  })

  it("continues from a saved state, between the two normals of a pair too", () => {
    const random = Random.make(3)
    random.nextNormal()
    const saved = JSON.parse(JSON.stringify(random.save()))
    const rest = Array.from({ length: 9 }, () => random.nextNormal())
    const again = Random.restore(saved)
    assert.deepEqual(
      Array.from({ length: 9 }, () => again.nextNormal()),
      rest
    )
  })

  it("has the moments of its distributions", () => {
    const random = Random.make(5)
    const count = 100_000
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value / values.length, 0)
    const uniforms = Array.from({ length: count }, () => random.nextUniform())
    assert.isTrue(uniforms.every((value) => value >= 0 && value < 1))
    assert.closeTo(mean(uniforms), 0.5, 0.005)
    assert.closeTo(mean(uniforms.map((value) => value ** 2)), 1 / 3, 0.005)
    const normals = Array.from({ length: count }, () => random.nextNormal())
    assert.closeTo(mean(normals), 0, 0.015)
    assert.closeTo(mean(normals.map((value) => value ** 2)), 1, 0.02)
    assert.closeTo(mean(normals.map((value) => value ** 4)), 3, 0.15)
  })

  it("draws whole numbers evenly and permutes all of them", () => {
    const random = Random.make(9)
    const counts = new Array<number>(7).fill(0)
    for (let i = 0; i < 70_000; i++) counts[random.nextInteger(7)]!++
    for (const count of counts) assert.closeTo(count, 10_000, 400)
    const order = Random.make(9, "order").permutation(257)
    assert.deepEqual(
      Array.from(order).sort((a, b) => a - b),
      Array.from({ length: 257 }, (_, i) => i)
    )
    assert.notDeepEqual(
      Array.from(order),
      Array.from({ length: 257 }, (_, i) => i)
    )
  })
})
