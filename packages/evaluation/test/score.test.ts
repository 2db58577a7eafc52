import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { ai2dTest } from "../src/benchmarks/Ai2dTest.ts"
import type { Benchmark } from "../src/benchmarks/Benchmark.ts"
import { hallusionBench } from "../src/benchmarks/HallusionBench.ts"
import { mmbenchDevCnV11 } from "../src/benchmarks/MmbenchDevCnV11.ts"
import { mmbenchDevEnV11 } from "../src/benchmarks/MmbenchDevEnV11.ts"
import { mmmuDevVal } from "../src/benchmarks/MmmuDevVal.ts"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { nano } from "../src/benchmarks/Nano.ts"
import { ocrBench } from "../src/benchmarks/OcrBench.ts"
import { scienceQaVal } from "../src/benchmarks/ScienceQaVal.ts"
import { formulaCategory } from "../src/matching/readsText.ts"
import { score } from "../src/scoring/Score.ts"
import { rowOf } from "./rows.ts"

type Cells = Readonly<Record<string, string>>

/** Scores rows whose cell `says` is the prediction; rows without it are not answered. */
const scoreOf = (benchmark: Benchmark, table: readonly Cells[], options = {}) => {
  const rows = table.map(({ says: _, ...cells }) => rowOf(cells))
  const predictions = table.flatMap((cells, i) =>
    cells.says === undefined ? [] : [{ index: rows[i]!.index, prediction: cells.says }]
  )
  return score(benchmark, rows, predictions, options)
}

const near = (actual: number, expected: number): void => assert.approximately(actual, expected, 1e-9)

describe("multiple choice", () => {
  it.effect("worked examples", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(mmStar, [
        { index: "1", A: "cat", B: "dog", answer: "A", says: "A" },
        { index: "2", A: "x", B: "y", answer: "B", says: "The y one" },
        { index: "3", A: "cat", B: "dog", answer: "B", says: "unclear" },
        { index: "4", A: "cat", B: "dog", answer: "A", says: "Z" }
      ])
      assert.deepStrictEqual(
        result.rows.map((row) => [row.extracted, row.hit]),
        [
          ["A", true],
          ["Z", false],
          ["Z", false],
          ["Z", false]
        ]
      )
      near(result.overall, 25)
      assert.strictEqual(result.reported, "none")
      near(result.splits.none!.standardError!, 100 * Math.sqrt((0.25 * 0.75) / 4))
    })
  )

  it.effect("an answer that is no letter of its row is an error that names the row, not a score of 0", () =>
    Effect.gen(function* () {
      const error = (benchmark: Benchmark, cells: Cells) =>
        Effect.map(
          Effect.flip(scoreOf(benchmark, [{ says: "A", split: "validation", category: "x", ...cells }])),
          ({ message }) => message
        )
      const two = { index: "7", A: "cat", B: "dog" }
      for (const benchmark of [mmStar, mmbenchDevEnV11, nano, mmmuDevVal]) {
        const told =
          /row \d+ \(index 7\), column "answer": "D" is no letter of the row, which has A, B; correct the cell/
        assert.match(yield* error(benchmark, { ...two, answer: "D" }), told)
      }
      assert.match(yield* error(mmStar, { ...two, answer: "cat" }), /"cat" is no letter/)
      assert.match(yield* error(mmStar, { index: "7", answer: "A" }), /which has no options/)
      // Published files have such options: no prediction hits them, but the row is sound.
      const none = { ...rowOf({ ...two, answer: "C" }), takenForMissing: new Set(["C"]) }
      const scored = yield* score(mmStar, [none], [{ index: "7", prediction: "C" }])
      assert.deepStrictEqual([scored.overall, scored.rows[0]!.hit], [0, false])
    })
  )

  it.effect("splits and categories, names sorted by code point, absent ones left out", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(scienceQaVal, [
        {
          index: "1",
          A: "x",
          B: "y",
          answer: "A",
          says: "A",
          split: "val",
          category: "b",
          "l2-category": "logic_reasoning"
        },
        { index: "2", A: "x", B: "y", answer: "A", says: "B", split: "val", category: "b", "l2-category": "other" },
        { index: "3", A: "x", B: "y", answer: "A", says: "A", split: "val", category: "\u{1F600}" },
        { index: "4", A: "x", B: "y", answer: "A", says: "A", split: "val", category: "\uFFFD" },
        { index: "5", A: "x", B: "y", answer: "B", says: "B", split: "test", category: "a" }
      ])
      assert.deepStrictEqual(Object.keys(result.categories.val!), ["LR", "other", "b", "\uFFFD", "\u{1F600}"])
      near(result.categories.val!.b!.score, 50)
      assert.deepStrictEqual(Object.keys(result.categories.test!), ["a"])
      near(result.splits.val!.score, 75)
      // No split of its own is reported for ScienceQA, and the file has two: the number is of all rows.
      assert.strictEqual(result.reported, "all")
      near(result.overall, 80)
    })
  )

  it.effect("the matcher is an option", () =>
    Effect.gen(function* () {
      const rows = [{ index: "1", A: "cat", B: "dog", answer: "A", says: "Both A and B are shown; the answer is A" }]
      near((yield* scoreOf(ai2dTest, rows)).overall, 0)
      near((yield* scoreOf(ai2dTest, rows, { matcher: "head" })).overall, 100)
      assert.strictEqual((yield* scoreOf(ai2dTest, rows)).matcher, "2025-08")
    })
  )
})

describe("MMMU", () => {
  const open = (answer: string, says: string) => ({ index: "1", answer, says, split: "validation" })
  const cases: readonly (readonly [answer: string, prediction: string, hit: boolean])[] = [
    ["24", "24", true],
    ["24", "The value is 24", true],
    ["24", "24.0", true],
    ["24", "42", false],
    ["24", "A", true],
    ["24", "B", false],
    ["['24', '24.0']", "24", false],
    ["B", "B", true]
  ]
  for (const [answer, prediction, hit] of cases) {
    it.effect(`open question, answer ${answer}, prediction ${prediction}: ${hit ? "hit" : "miss"}`, () =>
      Effect.gen(function* () {
        near((yield* scoreOf(mmmuDevVal, [open(answer, prediction)])).overall, hit ? 100 : 0)
      })
    )
  }

  it.effect("a missing option A makes the row open: A becomes the answer letter, C and D stay", () =>
    Effect.gen(function* () {
      const cells = { index: "1", B: "two", C: "three", D: "four", answer: "C", split: "validation" }
      near((yield* scoreOf(mmmuDevVal, [{ ...cells, says: "three" }])).overall, 100)
      near((yield* scoreOf(mmmuDevVal, [{ ...cells, says: "two" }])).overall, 0)
      near((yield* scoreOf(mmmuDevVal, [{ ...cells, says: "other answers" }])).overall, 0)
    })
  )

  it.effect("an answer that pandas reads as missing leaves only the other answers", () =>
    Effect.gen(function* () {
      near((yield* scoreOf(mmmuDevVal, [{ index: "1", split: "validation", says: "A" }])).overall, 0)
    })
  )

  it.effect("reports validation; NaN when none of it was answered", () =>
    Effect.gen(function* () {
      const table = [
        { index: "dev_1", A: "x", B: "y", answer: "A", split: "dev", says: "A" },
        { index: "val_1", A: "x", B: "y", answer: "A", split: "validation", says: "B" }
      ]
      const result = yield* scoreOf(mmmuDevVal, table)
      assert.strictEqual(result.reported, "validation")
      near(result.overall, 0)
      near(result.splits.dev!.score, 100)
      const part = yield* scoreOf(mmmuDevVal, [table[0]!, { ...table[1]!, says: undefined } as unknown as Cells])
      assert.isNaN(part.overall)
      assert.strictEqual(JSON.parse(JSON.stringify(part)).overall, null)
    })
  )
})

describe("circular evaluation", () => {
  const animals = [
    { A: "cat", B: "dog", C: "cow", answer: "B" },
    { A: "cow", B: "cat", C: "dog", answer: "C" },
    { A: "dog", B: "cow", C: "cat", answer: "A" }
  ]
  const group = (says: readonly (string | undefined)[], base = 7) =>
    animals.map((cells, k) => {
      const prediction = says[k]
      const row = {
        ...cells,
        index: String(base + k * 1_000_000),
        split: "dev",
        "l2-category": "attribute_reasoning",
        category: "c"
      }
      return prediction === undefined ? row : { ...row, says: prediction }
    })
  const cases: readonly (readonly [readonly (string | undefined)[], number])[] = [
    [["B", "C", "A"], 100],
    [["B", "B", "A"], 0],
    [["B", "hmm", "A"], 0],
    [["dog", "the dog", "dog"], 100],
    [["B", "C", undefined], 100],
    [["B", "Z", "A"], 0]
  ]
  for (const [says, expected] of cases) {
    it.effect(`${says.map((text) => text ?? "(not there)").join(", ")} gives ${expected}`, () =>
      Effect.gen(function* () {
        for (const benchmark of [mmbenchDevEnV11, mmbenchDevCnV11]) {
          const result = yield* scoreOf(benchmark, group(says))
          near(result.overall, expected)
          assert.strictEqual(result.rows.length, 1)
          assert.strictEqual(result.reported, "dev")
        }
      })
    )
  }

  it.effect("two rotations of x and y", () =>
    Effect.gen(function* () {
      const rows = (first: string, second: string) => [
        { index: "3", A: "x", B: "y", answer: "A", says: first },
        { index: "1000003", A: "y", B: "x", answer: "B", says: second }
      ]
      near((yield* scoreOf(mmbenchDevEnV11, rows("A", "B"))).overall, 100)
      near((yield* scoreOf(mmbenchDevEnV11, rows("A", "A"))).overall, 0)
    })
  )

  it.effect("full-width output does not match in Chinese", () =>
    Effect.gen(function* () {
      for (const says of ["B。", "答案是B"]) {
        near((yield* scoreOf(mmbenchDevCnV11, [{ index: "3", A: "猫", B: "狗", answer: "B", says }])).overall, 0)
      }
    })
  )

  it.effect("level-2 categories by their abbreviations, only main rows in the denominator", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(mmbenchDevEnV11, [...group(["B", "C", "A"]), ...group(["A", "C", "A"], 8)])
      assert.deepStrictEqual(result.categories.dev, {
        AR: { score: 50, rows: 2, standardError: 100 * Math.sqrt(0.25 / 2) },
        c: { score: 50, rows: 2, standardError: 100 * Math.sqrt(0.25 / 2) }
      })
      assert.deepStrictEqual(result.counts, { rows: 6, answered: 6, missing: 0 })
    })
  )

  it.effect("column g_index groups where it exists; a group without its main row does not count", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(mmbenchDevEnV11, [
        { index: "11", g_index: "11", A: "x", B: "y", answer: "A", says: "A" },
        { index: "12", g_index: "11", A: "y", B: "x", answer: "B", says: "A" },
        { index: "14", g_index: "13", A: "y", B: "x", answer: "B", says: "B" }
      ])
      assert.deepStrictEqual(
        result.rows.map(({ index, hit }) => [index, hit]),
        [["11", false]]
      )
    })
  )

  it.effect("an index that is not a number is a typed error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        scoreOf(mmbenchDevEnV11, [{ index: "a", A: "x", B: "y", answer: "A", says: "A" }])
      )
      assert.strictEqual(error._tag, "RowInvalid")
      assert.match(error.message, /column "index": "a" is not a whole number/)
    })
  )
})

describe("HallusionBench", () => {
  const rows = [
    ["VD_illusion_1_0_0_0", "No", "No"],
    ["VD_illusion_1_0_1_0", "Yes", "Yes"],
    ["VD_illusion_1_0_1_1", "No", "Yes"],
    ["VD_illusion_1_0_0_1", "Yes", "Yes"],
    ["VS_chart_1_0_1_0", "Yes", "I cannot tell"],
    ["VS_chart_2_0_2_0", "No", "No"]
  ].map(([index, answer, says]) => {
    const parts = index!.split("_")
    return {
      index: index!,
      answer: answer!,
      says: says!,
      category: parts[0]!,
      "l2-category": parts.slice(0, 2).join("_")
    }
  })

  it.effect("worked example", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(hallusionBench, rows)
      const parts = result.splits.none!.parts!
      near(parts.aAcc!, (100 * 4) / 6)
      near(parts.fAcc!, 50)
      near(parts.qAcc!, 100 / 3)
      near(result.overall, ((100 * 4) / 6 + 50 + 100 / 3) / 3)
      assert.deepStrictEqual(
        result.rows.map((row) => row.extracted),
        ["No", "Yes", "Yes", "Yes", "Unknown", "No"]
      )
      near(result.categories.none!.VS!.parts!.aAcc!, 50)
      near(result.categories.none!.VS_chart!.parts!.fAcc!, 50)
      near(result.categories.none!.VS_chart!.parts!.qAcc!, 0)
    })
  )

  it.effect("an index without its six parts is a typed error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        scoreOf(hallusionBench, [{ index: "VD_1", answer: "No", "l2-category": "VD", says: "No" }])
      )
      assert.match(error.message, /"VD_1" has no set, figure and question ids/)
    })
  )
})

describe("OCRBench", () => {
  it.effect("points by category and group, Final Score and its tenth", () =>
    Effect.gen(function* () {
      const row = (index: number, category: string, answer: string, says: string) => ({
        index: String(index),
        category,
        answer,
        says
      })
      const result = yield* scoreOf(ocrBench, [
        row(1, "Regular Text Recognition", "['centre']", "CENTRE"),
        row(2, "Digit String Recognition", "['123']", "0123456"),
        row(3, "Non-Semantic Text Recognition", "['abcde']", "abcd"),
        row(4, "Doc-oriented VQA", '["1,000", "1000"]', "1,000"),
        row(5, formulaCategory, String.raw`['\\frac { 1 } { 2 }']`, "\\frac{1}{2}")
      ])
      assert.deepStrictEqual(result.splits.none, {
        score: 4,
        rows: 5,
        parts: { "Final Score": 4, "Final Score Norm": 0.4 }
      })
      assert.strictEqual(result.overall, 4)
      assert.deepStrictEqual(result.categories.none!["Text Recognition"], { score: 2, rows: 3 })
      assert.deepStrictEqual(result.categories.none![formulaCategory], { score: 1, rows: 1 })
    })
  )

  it.effect("an unknown category or an answer that is no list is a typed error", () =>
    Effect.gen(function* () {
      const category = yield* Effect.flip(
        scoreOf(ocrBench, [{ index: "1", category: "Poems", answer: "['a']", says: "a" }])
      )
      assert.match(category.message, /column "category": "Poems" is none of OCRBench's categories/)
      const answer = yield* Effect.flip(
        scoreOf(ocrBench, [{ index: "1", category: "Doc-oriented VQA", answer: "1000", says: "a" }])
      )
      assert.match(
        answer.message,
        /OCRBench, row \d+ \(index 1\), column "answer": not a Python list of strings: a list was expected/
      )
    })
  )
})

describe("nano", () => {
  it.effect("choices by letter or text, yes/no by word, the rest exactly, accuracy by category", () =>
    Effect.gen(function* () {
      const result = yield* scoreOf(nano, [
        { index: "1", category: "choice", A: "red", B: "blue", answer: "B", says: "B." },
        { index: "2", category: "choice", A: "red", B: "blue", answer: "B", says: "blue" },
        { index: "3", category: "yes/no", answer: "Yes", says: "yes." },
        { index: "4", category: "count", answer: "3", says: " 3\n" },
        { index: "5", category: "count", answer: "3", says: "3 circles" },
        { index: "6", category: "是非", answer: "是", says: "是" }
      ])
      assert.deepStrictEqual(
        result.rows.map((row) => row.hit),
        [true, true, true, true, false, true]
      )
      near(result.categories.none!.count!.standardError!, 100 * Math.sqrt(0.25 / 2))
      near(result.overall, 500 / 6)
    })
  )
})

describe("predictions against rows", () => {
  const rows = ["1", "2", "3"].map((index) => rowOf({ index, A: "x", B: "y", answer: "A" }))
  const says = (index: string) => ({ index, prediction: "A" })

  it.effect("a foreign index", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(score(mmStar, rows, [says("1"), says("9")], { file: "p.xlsx" }))
      assert.strictEqual(error._tag, "PredictionForeign")
      assert.match(error.message, /^p\.xlsx, row 2 \(index 9\): the data of MMStar has no row with this index/)
    })
  )

  it.effect("the same index twice", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(score(mmStar, rows, [says("1"), says("2"), says("1")], { file: "p.tsv" }))
      assert.strictEqual(error._tag, "PredictionDuplicate")
      assert.match(error.message, /^p\.tsv, row 3 \(index 1\): row 1 already answers this index/)
    })
  )

  it.effect("missing rows are reported and not in the denominator, or an error where completeness is asked for", () =>
    Effect.gen(function* () {
      const result = yield* score(mmStar, rows, [says("2")])
      near(result.overall, 100)
      assert.deepStrictEqual(result.counts, { rows: 3, answered: 1, missing: 2 })
      assert.deepStrictEqual(result.missing, ["1", "3"])
      const error = yield* Effect.flip(score(mmStar, rows, [says("2")], { complete: true, file: "p.json" }))
      assert.strictEqual(error._tag, "PredictionsMissing")
      assert.match(
        error.message,
        /^p\.json: 2 of 3 rows of the data file have no prediction: row \d+ \(index 1\), row \d+ \(index 3\)/
      )
    })
  )

  it.effect("a row without an answer", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        score(mmStar, [rowOf({ index: "5", A: "x", B: "y" })], [says("5")], { dataFile: "d.tsv" })
      )
      assert.match(error.message, /^d\.tsv, row \d+ \(index 5\), column "answer": the cell is missing/)
    })
  )
})
