import { Random } from "@speedq/tensors"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { greedy, nucleus } from "../src/index.ts"

const logits = (...values: number[]) => Float32Array.from(values)
const draws = (sampler: (row: Float32Array) => number, row: Float32Array, count: number) =>
  Array.from({ length: count }, () => sampler(row))

/** Probabilities as the definition has them: sort, add up, cut. */
const nucleusOf = (row: ArrayLike<number>, temperature: number, topP: number): ReadonlyMap<number, number> => {
  const weights = Array.from(row, (logit) => Math.exp(logit / temperature))
  const total = weights.reduce((a, b) => a + b, 0)
  const kept = new Map<number, number>()
  let mass = 0
  for (const [id, weight] of [...weights.entries()].sort((a, b) => b[1] - a[1])) {
    if (mass >= topP * total) break
    kept.set(id, weight)
    mass += weight
  }
  return new Map([...kept].map(([id, weight]) => [id, weight / mass]))
}

describe("greedy", () => {
  it("takes the most likely, the first of equals", () => {
    assert.strictEqual(greedy(logits(1, 3, 2)), 1)
    assert.strictEqual(greedy(logits(2, 5, 5)), 1)
    assert.strictEqual(greedy(logits(-3, -1, -2)), 1)
    assert.strictEqual(greedy(logits(7)), 0)
  })
})

describe("nucleus", () => {
  const options = (temperature: number, topP: number, seed = 1) => ({
    temperature,
    topP,
    random: Random.make(seed, "test")
  })

  it("draws the same from the same seed, and other ids from another", () => {
    const row = logits(...Array.from({ length: 50 }, (_, i) => Math.sin(i)))
    const of = (seed: number) => draws(nucleus(options(1, 0.9, seed)), row, 20)
    assert.deepStrictEqual(of(1), of(1))
    assert.notDeepEqual(of(1), of(2))
  })

  it("draws every id of the nucleus as often as it is likely, and no other", () => {
    const row = logits(2, 1, 0.5, 0, -1, -4)
    for (const [temperature, topP] of [
      [1, 0.9],
      [0.5, 0.95],
      [2, 1],
      [1, 0.2]
    ] as const) {
      const expected = nucleusOf(row, temperature, topP)
      const counts = new Map<number, number>()
      for (const id of draws(nucleus(options(temperature, topP)), row, 20_000))
        counts.set(id, (counts.get(id) ?? 0) + 1)
      for (const id of counts.keys()) assert.isTrue(expected.has(id), `${id} is not in the nucleus`)
      for (const [id, share] of expected) {
        // Five standard deviations.
        assert.approximately((counts.get(id) ?? 0) / 20_000, share, 5 * Math.sqrt(share / 20_000))
      }
    }
  })

  it("stays within the nucleus whatever the logits", () => {
    const rows = fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 40 })
    const shares = fc.double({ min: 0.01, max: 1, noNaN: true })
    fc.assert(
      fc.property(rows, shares, fc.double({ min: 0.1, max: 3, noNaN: true }), (row, topP, temperature) => {
        const values = Float32Array.from(row)
        // A hair more than asked: sums in another order may end on the other side of the cut.
        const allowed = nucleusOf(values, temperature, Math.min(1, topP + 1e-9))
        const id = nucleus(options(temperature, topP))(values)
        assert.isTrue(allowed.has(id) || topP > 1 - 1e-9)
      }),
      { seed: 3 }
    )
  })

  it("is greedy where the cut leaves one", () => {
    const row = logits(0, 4, 1)
    assert.deepStrictEqual(new Set(draws(nucleus(options(1, 1e-6)), row, 50)), new Set([1]))
    assert.deepStrictEqual(new Set(draws(nucleus(options(0.01, 0.99)), row, 50)), new Set([1]))
  })

  it.each([
    [0, 0.9, "temperature is 0"],
    [-1, 0.9, "temperature is -1"],
    [Number.NaN, 0.9, "temperature is NaN"],
    [1, 0, "topP is 0"],
    [1, 1.5, "topP is 1.5"]
  ])("refuses temperature %d with top-p %d", (temperature, topP, message) => {
    assert.throws(() => nucleus(options(temperature, topP)), RangeError, message)
  })
})
