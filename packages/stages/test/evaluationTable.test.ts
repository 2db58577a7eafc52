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
    const { table } = compare("sizes", ["a"], [{ variant: "a", seed: 1, result }], byLastEvaluation.measuresOf(result))
    const row = Object.fromEntries(table.columns.map((name, at) => [name, table.rows[0]![at]]))
    assert.deepInclude(row, { MB: "1.000", "bits / parameter": "16.00" })
    assert.notProperty(row, "MB against a")
  })
})
