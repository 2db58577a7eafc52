/** What a report begins with: the sentence, the small table, the picture. */
import type { Report } from "@speedq/pipeline"
import { assert, describe, it } from "vitest"
import type { BenchmarkScore, Evaluation } from "../src/evaluate/Evaluation.ts"
import { outcomeOf } from "../src/evaluate/gallery.ts"
import { resultSections } from "../src/evaluate/resultSections.ts"

/** A score of `right` in a hundred answers. */
const scoreOf = (benchmark: string, right: number, overall = right): BenchmarkScore => ({
  benchmark,
  data: `${benchmark}.tsv`,
  overall,
  categories: {},
  divergence: 0.5,
  divergenceTokens: 10,
  answers: Array.from({ length: 100 }, (_, index) => ({ index: String(index), answer: "a", correct: index < right }))
})

const evaluationOf = (
  title: string,
  made: Evaluation["made"],
  bytes: number,
  ...scores: readonly BenchmarkScore[]
): Evaluation => ({ title, made, scores, bytes, bitsPerParameter: bytes / 1e5 })

const sectionOf = <Tag extends Report.Section["_tag"]>(sections: readonly Report.Section[], tag: Tag) =>
  sections.find((section): section is Extract<Report.Section, { readonly _tag: Tag }> => section._tag === tag) ??
  assert.fail(tag)

const evaluations = [
  evaluationOf("full precision", "source", 4e6, scoreOf("captions", 80), scoreOf("short", 100)),
  evaluationOf("nearest", "nearest", 1e6, scoreOf("captions", 8), scoreOf("short", 50)),
  evaluationOf("on the way", "stages", 1e6, scoreOf("captions", 40), scoreOf("short", 70)),
  evaluationOf("2 bits", "stages", 1e6, scoreOf("captions", 90), scoreOf("short", 97))
]

describe("the head of a report", () => {
  it("says how much smaller a model is, what it keeps, and what rounding keeps", () => {
    const { sentence, figures } = sectionOf(resultSections("mine", evaluations), "Headline")
    // A score above that of full precision keeps all of it.
    assert.strictEqual(
      sentence,
      "mine: 4.0x smaller, keeps 100 % of captions and 97 % of short; rounding to nearest keeps 10 % and 50 %"
    )
    assert.deepStrictEqual(figures.at(-1), {
      value: "97 %",
      label: "of short kept",
      detail: "score 97.0; rounding 50.0"
    })
  })

  it("has a table of five columns with intervals, and the result in it", () => {
    const table = sectionOf(resultSections("mine", evaluations), "Table")
    assert.deepStrictEqual(table.columns, ["model", "MB", "captions, %", "short, %", "KL / token"])
    assert.deepStrictEqual(table.rows.at(-1), ["2 bits", "1.00", "90.0 (82.6-94.5)", "97.0 (91.5-99.0)", "0.500"])
    assert.strictEqual(table.emphasis, 3)
  })

  it("draws each model by size and quality", () => {
    const { points, yLabel } = sectionOf(resultSections("mine", evaluations), "Scatter")
    assert.strictEqual(yLabel, "mean of captions and short")
    assert.deepStrictEqual(
      points.map(({ name, x, y, role }) => [name, x, y, role]),
      [
        ["full precision", 4, 90, "reference"],
        ["nearest", 1, 29, "baseline"],
        ["on the way", 1, 55, undefined],
        ["2 bits", 1, 93.5, "result"]
      ]
    )
    assert.isTrue(points.every(({ y, low = 0, high = 0 }) => low < y && y < high))
  })

  it("shows many benchmarks by their mean, and no interval where a score is no share", () => {
    const names = ["one", "two", "three"]
    const many = [
      evaluationOf("full precision", "source", 4e6, ...names.map((name) => scoreOf(name, 80))),
      evaluationOf("2 bits", "stages", 1e6, scoreOf("one", 50, 500), scoreOf("two", 80), scoreOf("three", 80))
    ]
    const sections = resultSections("mine", many)
    const { columns, rows } = sectionOf(sections, "Table")
    assert.deepStrictEqual(columns, ["model", "MB", "mean of 3", "kept", "KL / token"])
    assert.deepStrictEqual(rows[0]?.slice(2, 4), ["80.0", "100 %"])
    assert.notProperty(sectionOf(sections, "Scatter").points[1], "low")
  })

  it("claims nothing of a model that has nothing to be compared with", () => {
    const [source] = evaluations
    assert.strictEqual(
      sectionOf(resultSections("mine", [source!]), "Headline").sentence,
      "mine: full precision scores 80.0 on captions and 100.0 on short"
    )
    const alone = resultSections("mine", [evaluations[3]!])
    assert.match(sectionOf(alone, "Headline").sentence, /^mine: 2 bits scores/)
    assert.isUndefined(alone.find(({ _tag }) => _tag === "Scatter"))
  })
})

describe("an answer", () => {
  it("got worse or better where both were judged", () => {
    const answer = (correct?: boolean) => ({ index: "1", answer: "a", ...(correct === undefined ? {} : { correct }) })
    assert.strictEqual(outcomeOf(answer(true), answer(false)), "got worse")
    assert.strictEqual(outcomeOf(answer(false), answer(true)), "got better")
    assert.strictEqual(outcomeOf(answer(true), answer(true)), "right before and after")
    assert.isUndefined(outcomeOf(answer(), answer(true)))
    assert.isUndefined(outcomeOf(undefined, answer(true)))
  })
})
