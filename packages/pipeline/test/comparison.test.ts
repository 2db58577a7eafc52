/** Results of several variants over several seeds, compared with standard errors. */
import { assert, describe, it } from "vitest"
import type { Variant } from "../src/ablation/Ablation.ts"
import { compare } from "../src/ablation/comparison.ts"
import { confidence95, differsFromZero, estimate } from "../src/ablation/estimate.ts"
import type { Measure, Scored } from "../src/ablation/measures.ts"

/** Variants of which the others are compared with the first. */
const variants = (...names: readonly string[]): readonly Variant[] =>
  names.map((name, at) => ({ name, against: at === 0 ? undefined : names[0], random: true }))

const scoredOf = <Result>(variant: string, ...results: readonly Result[]): readonly Scored<Result>[] =>
  results.map((result, at) => ({ variant, seed: at + 1, result, milliseconds: null }))

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
      ...scoredOf("a", { score: 90, divergence: 0.25 }, { score: 80, divergence: 0.75 }),
      ...scoredOf("b", { score: 89, divergence: 0.5 }, { score: 77, divergence: 1 }),
      { variant: "c", seed: 2, result: { score: 60, divergence: 0.75 }, milliseconds: null }
    ]
    const { tables, separation } = compare("compared", variants("a", "b", "c"), scored, measures)
    assert.deepStrictEqual(
      tables.map(({ title, columns, rows }) => ({ title, columns, rows })),
      [
        {
          title: "compared",
          columns: ["variant", "seeds", "score", "KL", "time"],
          rows: [
            ["a", 2, "85.0 ± 5.0", "0.500 ± 0.250", ""],
            ["b", 2, "83.0 ± 6.0", "0.750 ± 0.250", ""],
            ["c", 1, "60.0", "0.750", ""]
          ]
        },
        {
          title: "Differences",
          columns: ["variant", "against", "score", "KL"],
          rows: [
            ["b", "a", "-2.0 ± 1.0", "+0.250 ± 0.00"],
            ["c", "a", "-20.0", "0.00"]
          ]
        }
      ]
    )
    assert.deepStrictEqual(separation.paragraphs.slice(1), [
      "Separates from a: b (KL).",
      "Does not separate from a: b (score).",
      "A single difference from a, which says nothing about chance: c (score, KL)."
    ])
    const same = [...scored.slice(0, 2), { ...scored[0]!, variant: "b" }]
    const alone = compare("compared", variants("a", "b"), same, measures)
    assert.include(alone.separation.paragraphs[1], "A single difference from a")
    const close = [...scored.slice(0, 2), ...scoredOf("b", { score: 91, divergence: 1 }, { score: 79, divergence: 0 })]
    assert.deepStrictEqual(compare("compared", variants("a", "b"), close, measures).separation.paragraphs.slice(1), [
      "Nothing separates from a.",
      "Does not separate from a: b (score, KL)."
    ])
    assert.strictEqual(compare("one", variants("a"), scored, measures).tables.length, 1)
  })

  it("compares a variant with the one that it names", () => {
    const scored = [
      ...scoredOf("a", { score: 90, divergence: 1 }, { score: 80, divergence: 1 }),
      ...scoredOf("b", { score: 70, divergence: 1 }, { score: 61, divergence: 1 }),
      ...scoredOf("c", { score: 60, divergence: 2 }, { score: 51, divergence: 2 })
    ]
    const named = variants("a", "b", "c").map((each) => (each.name === "c" ? { ...each, against: "b" } : each))
    const { tables, separation } = compare("compared", named, scored, measures)
    assert.deepStrictEqual(tables[1]!.rows, [
      ["b", "a", "-19.5 ± 0.5", "0.00 ± 0.00"],
      ["c", "b", "-10.0 ± 0.0", "+1.00 ± 0.00"]
    ])
    assert.deepStrictEqual(separation.paragraphs.slice(1), [
      "Separates from a: b (score).",
      "Does not separate from a: b (KL).",
      "Separates from b: c (score, KL)."
    ])
  })

  it("takes what nothing random is in for the same with every seed", () => {
    const scored = [
      ...scoredOf("exact", { score: 90, divergence: 0 }),
      ...scoredOf("rounded", { score: 70, divergence: 2 }),
      ...scoredOf("trained", { score: 88, divergence: 1 }, { score: 84, divergence: 3 })
    ]
    const [exact, rounded, trained] = variants("exact", "rounded", "trained") as [Variant, Variant, Variant]
    const listed = [{ ...exact, random: false }, { ...rounded, against: "trained", random: false }, trained]
    const { tables, separation } = compare("compared", listed, scored, measures)
    assert.deepStrictEqual(tables[1]!.rows, [
      ["rounded", "trained", "-16.0 ± 2.0", "0.00 ± 1.00"],
      ["trained", "exact", "-4.0 ± 2.0", "+2.00 ± 1.00"]
    ])
    assert.include(separation.paragraphs[0], "A variant without randomness has the same result for every seed.")
    const both = compare(
      "compared",
      listed.slice(0, 2).map((each) => ({ ...each, against: "exact" })),
      scored,
      measures
    )
    assert.deepStrictEqual(both.tables[1]!.rows[1], ["rounded", "exact", "-20.0", "+2.00"])
    assert.include(both.separation.paragraphs[1], "A single difference from exact")
  })

  it("shows what follows from the variant alone, and takes no difference of it", () => {
    const size: Measure<{ readonly bytes: number }> = {
      name: "MB",
      of: ({ bytes }) => bytes / 1e6,
      write: (value) => value.toFixed(1),
      fixed: true
    }
    const runs = (variant: string, ...sizes: readonly number[]) =>
      scoredOf(variant, ...sizes.map((bytes) => ({ bytes })))
    const scored = [...runs("a", 3e6, 3e6), ...runs("b", 1e6, 1e6), ...runs("c", 1e6, 2e6)]
    const { tables, separation } = compare("sizes", variants("a", "b", "c"), scored, [size])
    assert.deepStrictEqual(tables[0]!.columns, ["variant", "seeds", "MB", "time"])
    assert.deepStrictEqual(tables[0]!.rows, [
      ["a", 2, "3.0", ""],
      ["b", 2, "1.0", ""],
      ["c", 2, "1.5 ± 0.5", ""]
    ])
    assert.strictEqual(tables.length, 1)
    assert.deepStrictEqual(separation.paragraphs.slice(1), [])
  })

  it("shows the mean of the times that are known", () => {
    const timed = (variant: string, ...times: readonly (number | null)[]) =>
      times.map((milliseconds, at) => ({ variant, seed: at + 1, result: { score: 1, divergence: 1 }, milliseconds }))
    const scored = [...timed("a", 60_000, 90_000), ...timed("b", 2000, null), ...timed("c", null)]
    const { tables } = compare("timed", variants("a", "b", "c"), scored, [])
    assert.deepStrictEqual(tables[0]!.rows, [
      ["a", 2, "1 min 15 s"],
      ["b", 2, "2.0 s"],
      ["c", 1, ""]
    ])
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
