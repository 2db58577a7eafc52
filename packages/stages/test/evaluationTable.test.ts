/** Tables of evaluations: the paper's average stands first where all of its benchmarks were asked. */
import { benchmarks } from "@speedq/evaluation"
import { assert, describe, it } from "vitest"
import { compare } from "../../pipeline/src/ablation/comparison.ts"
import { type Evaluation, evaluationTable } from "../src/evaluate/Evaluation.ts"
import { byLastEvaluation } from "../src/evaluate/judgement.ts"

const scoresOf = (names: readonly string[], overall: number): Evaluation["scores"] =>
  names.map((benchmark) => ({
    benchmark,
    data: `${benchmark}.tsv`,
    overall,
    categories: {},
    divergence: null,
    divergenceTokens: 0,
    answers: []
  }))
const all = benchmarks.filter(({ name }) => name !== "nano").map(({ name }) => name)
const evaluationOf = (title: string, names: readonly string[], overall: number): Evaluation => ({
  title,
  made: "stages",
  scores: scoresOf(names, overall),
  bytes: 1e6,
  bitsPerParameter: 16
})

describe("evaluationTable", () => {
  it("has the average of eight beside the scores, and nothing where one is missing", () => {
    const table = evaluationTable([evaluationOf("BF16", all, 60), evaluationOf("short", all.slice(1), 50)])
    assert.strictEqual(table._tag, "Table")
    if (table._tag !== "Table") return
    assert.deepStrictEqual(table.columns.slice(0, 3), ["model", "average of 8", `${all[0]}.tsv`])
    assert.deepStrictEqual(
      table.rows.map((row) => row[1]),
      ["60.0", ""]
    )
  })

  it("has no such column for other benchmarks", () => {
    const table = evaluationTable([evaluationOf("nano", ["nano"], 60)])
    assert.notInclude(table._tag === "Table" ? table.columns : [], "average of 8")
  })
})

describe("the comparison of an ablation", () => {
  it("compares the average of eight first, where there is one", () => {
    const names = (evaluation: Evaluation) => byLastEvaluation.measuresOf(evaluation).map(({ name }) => name)
    assert.strictEqual(names(evaluationOf("BF16", all, 60))[0], "average of 8")
    assert.strictEqual(
      byLastEvaluation.measuresOf(evaluationOf("BF16", all, 60))[0]!.of(evaluationOf("x", all, 61)),
      61
    )
    assert.strictEqual(names(evaluationOf("nano", ["nano"], 60))[0], "nano.tsv")
  })

  it("shows the sizes of the models, without differences", () => {
    const result = evaluationOf("nano", ["nano"], 60)
    const variants = ["a", "b"].map((name) => ({ name, against: name === "b" ? "a" : undefined, random: true }))
    const scored = variants.map(({ name }) => ({ variant: name, seed: 1, result, milliseconds: null }))
    const [means, differences] = compare("sizes", variants, scored, byLastEvaluation.measuresOf(result)).tables
    const row = Object.fromEntries(means!.columns.map((name, at) => [name, means!.rows[0]![at]]))
    assert.deepInclude(row, { MB: "1.000", "bits / parameter": "16.00" })
    assert.notInclude(differences!.columns, "MB")
  })
})

describe("right answers by kind", () => {
  /** `right` of the questions of each category are answered right. */
  const scoreOf = (
    data: string,
    right: Readonly<Record<string, number>>,
    rows: number
  ): Evaluation["scores"][number] => {
    const answers = Object.entries(right).flatMap(([category, hits]) =>
      Array.from({ length: rows }, (_, at) => ({ index: `${category} ${at}`, answer: "", correct: at < hits }))
    )
    const hits = answers.filter(({ correct }) => correct).length
    const categories = Object.entries(right).map(([category, own]) => {
      const mark = { score: (100 * own) / rows, rows, standardError: 1 }
      return [category, mark] as const
    })
    return {
      ...scoresOf(["nano"], (100 * hits) / answers.length)[0]!,
      data,
      categories: Object.fromEntries(categories),
      answers
    }
  }
  const evaluated = (...scores: Evaluation["scores"]): Evaluation => ({ ...evaluationOf("nano", [], 0), scores })
  const tableOf = (variants: Parameters<typeof byLastEvaluation.tablesOf>[0]) => byLastEvaluation.tablesOf(variants)[0]!

  it("have Wilson's interval of so many questions, however many seeds asked them", () => {
    const once = evaluated(scoreOf("short.tsv", { count: 15, word: 20 }, 20))
    const again = evaluated(scoreOf("short.tsv", { count: 5, word: 20 }, 20))
    const { columns, rows, note } = tableOf([
      { variant: "one", results: [once] },
      { variant: "two", results: [once, again] }
    ])
    assert.deepStrictEqual(columns, ["variant", "short (40)", "count (20)", "word (20)"])
    // Wilson, 1927: of 35, 15, 20 and 10 right answers, each among its questions.
    assert.deepStrictEqual(rows, [
      ["one", "87.5 (73.9-94.5)", "75.0 (53.1-88.8)", "100.0 (83.9-100.0)"],
      ["two", "75.0 (59.8-85.8)", "50.0 (29.9-70.1)", "100.0 (83.9-100.0)"]
    ])
    assert.match(note!, /not for other seeds/)
  })

  it("tell kinds of one name by their benchmark, and a kind of all questions once", () => {
    const short = scoreOf("short.tsv", { en: 1, zh: 2 }, 4)
    const caption = scoreOf("caption.tsv", { caption: 3 }, 4)
    const english = { ...caption, categories: { ...caption.categories, en: { score: 50, rows: 2, standardError: 1 } } }
    const { columns } = tableOf([{ variant: "x", results: [evaluated(short, english)] }])
    assert.deepStrictEqual(columns, ["variant", "short (8)", "short en (4)", "zh (4)", "caption (4)", "caption en (2)"])
  })

  it("have no interval where the score is no share, and no cell where a kind was not asked", () => {
    const points = {
      ...scoreOf("OCRBench.tsv", { Text: 1 }, 4),
      overall: 371,
      categories: { Text: { score: 40, rows: 4 } }
    }
    const asked = evaluated(points)
    const { columns, rows } = tableOf([
      { variant: "asked", results: [asked] },
      { variant: "not", results: [evaluated()] }
    ])
    assert.deepStrictEqual(columns, ["variant", "OCRBench (4)", "Text (4)"])
    assert.deepStrictEqual(rows, [
      ["asked", "371.0", "40.0"],
      ["not", "", ""]
    ])
    assert.deepStrictEqual(byLastEvaluation.tablesOf([{ variant: "not", results: [evaluated()] }]), [])
  })

  it("fold where they are many", () => {
    const many = Object.fromEntries(Array.from({ length: 24 }, (_, at) => [`kind ${at}`, 1]))
    const results = [evaluated(scoreOf("short.tsv", many, 2))]
    assert.isTrue(tableOf([{ variant: "x", results }]).folded)
    assert.isUndefined(tableOf([{ variant: "x", results: [evaluated(scoreOf("short.tsv", { one: 1 }, 2))] }]).folded)
  })
})
