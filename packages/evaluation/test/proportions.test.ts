/** Intervals of shares: published examples, and how they relate to each other. */
import { assert, describe, it } from "vitest"
import { differenceOf, type Interval, pairedDifference, wilson } from "../src/scoring/proportions.ts"

const rounded = ({ value, low, high }: Interval) => [value, low, high].map((one) => Number(one.toFixed(4)))

describe("wilson", () => {
  it("gives the published intervals", () => {
    // Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3.
    assert.deepStrictEqual(rounded(wilson(81, 263)), [0.308, 0.2553, 0.3662])
    assert.deepStrictEqual(rounded(wilson(15, 148)), [0.1014, 0.0624, 0.1605])
    assert.deepStrictEqual(rounded(wilson(0, 20)), [0, 0, 0.1611])
    assert.deepStrictEqual(rounded(wilson(1, 29)), [0.0345, 0.0061, 0.1718])
  })

  it("has ends within 0 and 1 when all are right", () => {
    assert.approximately(wilson(300, 300).high, 1, 1e-12)
    assert.approximately(wilson(300, 300).low, 0.987, 5e-4)
  })
})

describe("a difference of two shares", () => {
  it("of different rows is the published one", () => {
    // Newcombe, Statistics in Medicine 17, 873 (1998), table II, method 10: 56/70 less 48/80.
    assert.deepStrictEqual(rounded(differenceOf(wilson(48, 80), wilson(56, 70))), [0.2, 0.0524, 0.3339])
  })

  it("of the same rows is narrower when both err together, and as wide when they do not", () => {
    const width = ({ low, high }: Interval) => high - low
    const together = pairedDifference({ both: 80, onlyFirst: 2, onlySecond: 4, neither: 14 })
    const apart = differenceOf(wilson(82, 100), wilson(84, 100))
    assert.approximately(together.value, 0.02, 1e-12)
    assert.approximately(apart.value, 0.02, 1e-12)
    assert.isBelow(width(together), 0.6 * width(apart))
    const unrelated = pairedDifference({ both: 25, onlyFirst: 25, onlySecond: 25, neither: 25 })
    assert.approximately(width(unrelated), width(differenceOf(wilson(50, 100), wilson(50, 100))), 1e-12)
  })

  it("turns its sign with the order, and is none of the same answers", () => {
    const pairs = { both: 10, onlyFirst: 3, onlySecond: 7, neither: 5 }
    const turned = pairedDifference({ ...pairs, onlyFirst: 7, onlySecond: 3 })
    const difference = pairedDifference(pairs)
    assert.approximately(turned.low, -difference.high, 1e-12)
    assert.approximately(turned.value, -difference.value, 1e-12)
    const same = pairedDifference({ both: 300, onlyFirst: 0, onlySecond: 0, neither: 0 })
    assert.strictEqual(same.value, 0)
    assert.isBelow(same.low, 0)
    assert.isAbove(same.high, 0)
  })
})
