/** Results of several variants over several seeds, compared with standard errors. */
import { assert, describe, it } from "vitest"
import { compare, type Measure, type Scored } from "../src/ablation/comparison.ts"
import { confidence95, differsFromZero, estimate } from "../src/ablation/estimate.ts"

describe("compare", () => {
  interface Result {
    readonly score: number
    readonly divergence: number
  }
  const measures: readonly Measure<Result>[] = [
    { name: "score", of: ({ score }) => score, write: (value) => value.toFixed(1) },
    { name: "KL", of: ({ divergence }) => divergence, write: (value) => value.toPrecision(3) }
  ]

  it("gives means with standard errors, differences seed by seed, and says what does not separate", () => {
    const scored: readonly Scored<Result>[] = [
      { variant: "a", seed: 1, result: { score: 90, divergence: 0.25 } },
      { variant: "a", seed: 2, result: { score: 80, divergence: 0.75 } },
      { variant: "b", seed: 1, result: { score: 89, divergence: 0.5 } },
      { variant: "b", seed: 2, result: { score: 77, divergence: 1 } },
      { variant: "c", seed: 2, result: { score: 60, divergence: 0.75 } }
    ]
    const { table, separation } = compare("compared", ["a", "b", "c"], scored, measures)
    assert.deepStrictEqual(table.rows, [
      ["a", 2, "85.0 ± 5.0", "0.500 ± 0.250", "", ""],
      ["b", 2, "83.0 ± 6.0", "0.750 ± 0.250", "-2.0 ± 1.0", "+0.250 ± 0.00"],
      ["c", 1, "60.0", "0.750", "-20.0", "0.00"]
    ])
    assert.deepStrictEqual(separation.paragraphs.slice(1), [
      "Separates from a: b (KL).",
      "Does not separate from a: b (score); c (score, KL)."
    ])
    const same = compare("compared", ["a", "b"], [...scored.slice(0, 2), { ...scored[0]!, variant: "b" }], measures)
    assert.include(same.separation.paragraphs[1], "Nothing separates from a")
  })

  it("shows what follows from the variant alone, and takes no difference of it", () => {
    const size: Measure<{ readonly bytes: number }> = {
      name: "MB",
      of: ({ bytes }) => bytes / 1e6,
      write: (value) => value.toFixed(1),
      fixed: true
    }
    const runs = (variant: string, ...sizes: readonly number[]) =>
      sizes.map((bytes, at) => ({ variant, seed: at + 1, result: { bytes } }))
    const scored = [...runs("a", 3e6, 3e6), ...runs("b", 1e6, 1e6), ...runs("c", 1e6, 2e6)]
    const { table, separation } = compare("sizes", ["a", "b", "c"], scored, [size])
    assert.deepStrictEqual(table.columns, ["variant", "seeds", "MB"])
    assert.deepStrictEqual(table.rows, [
      ["a", 2, "3.0"],
      ["b", 2, "1.0"],
      ["c", 2, "1.5 ± 0.5"]
    ])
    assert.deepStrictEqual(separation.paragraphs.slice(1), ["Nothing separates from a."])
  })

  it("estimates like a textbook", () => {
    assert.deepStrictEqual(estimate([4]), { mean: 4, standardError: undefined, count: 1 })
    assert.isFalse(differsFromZero(estimate([4])))
    // Sample deviation of 2, 4, 6 is 2; over the root of 3.
    const three = estimate([2, 4, 6])
    assert.strictEqual(three.mean, 4)
    assert.closeTo(three.standardError!, 2 / Math.sqrt(3), 1e-12)
    // Two degrees of freedom: 4.303 standard errors are 4.97, so 4 may be chance, and 5 is not.
    assert.closeTo(confidence95(three)!, 4.9687, 1e-3)
    assert.isFalse(differsFromZero(three))
    assert.isTrue(differsFromZero(estimate([3, 5, 7])))
  })
})
