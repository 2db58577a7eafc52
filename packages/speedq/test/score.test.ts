import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { json, speedq } from "./support/inProcess.ts"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const table = (rows: readonly (readonly string[])[]): string => rows.map((row) => `${row.join("\t")}\n`).join("")

/** Four multiple-choice questions of MMStar's form, and predictions for the given indexes. */
const files = (answers: { readonly [index: string]: string }) => {
  const directory = temporaryDirectory()
  const [data, predictions] = [join(directory, "MMStar.tsv"), join(directory, "theirs.tsv")]
  writeFileSync(
    data,
    table([
      ["index", "question", "A", "B", "answer", "category"],
      ["1", "q", "red", "blue", "A", "color"],
      ["2", "q", "red", "blue", "B", "color"],
      ["3", "q", "ring", "star", "A", "shape"],
      ["4", "q", "ring", "star", "B", "shape"]
    ])
  )
  writeFileSync(predictions, table([["index", "prediction"], ...Object.entries(answers)]))
  return [predictions, "--data", data, "--benchmark", "mmstar"]
}

describe("speedq score", () => {
  it("prints the promised fields and nothing else with --json", async () => {
    const args = ["score", ...files({ 1: "A", 2: "The answer is B", 3: "B", 4: "star" })]
    const report = (await json(args)) as {
      readonly overall: number
      readonly splits: { readonly none: { readonly score: number } }
      readonly categories: { readonly none: { readonly [name: string]: { readonly score: number } } }
      readonly rows: readonly { readonly index: string; readonly hit: boolean }[]
    }
    assert.sameMembers(Object.keys(report), ["benchmark", "matcher", "overall", "splits", "categories", "rows"])
    assert.strictEqual(report.overall, 75)
    assert.strictEqual(report.splits.none.score, 75)
    assert.strictEqual(report.categories.none.shape!.score, 50)
    assert.deepStrictEqual(
      report.rows.map(({ index, hit }) => [index, hit]),
      [
        ["1", true],
        ["2", true],
        ["3", false],
        ["4", true]
      ]
    )
  })

  it("prints a table otherwise", async () => {
    const { code, stdout, stderr } = await speedq(["score", ...files({ 1: "A", 2: "B", 3: "A", 4: "B" })])
    assert.strictEqual(code, 0, stderr)
    assert.match(stdout, /^MMStar {2}100\.00 % {2}\(split none, 4 of 4 rows, matcher 2025-08\)/)
  })

  it("refuses a file that leaves rows out, unless that is allowed", async () => {
    const args = ["score", ...files({ 1: "A", 3: "B" })]
    const refused = await speedq(args)
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stderr, /^error: .*2 of 4 rows of the data file have no prediction: row 2 \(index 2\)/)
    const report = (await json([...args, "--partial"])) as { readonly overall: number }
    assert.strictEqual(report.overall, 50)
  })

  it("refuses predictions for other questions of the same indexes, and not for another way of writing them", async () => {
    const [predictions, ...args] = files({ 1: "A" })
    const answered = (rows: readonly (readonly string[])[]) =>
      writeFileSync(predictions!, table([["index", "question", "answer", "prediction"], ...rows]))
    answered([
      ["1", "What is shown?", "a ring", "a ring"],
      ["2", "q", "B", "B"],
      ["3", "How many?", "3", "3"],
      ["4", "How many?", "4", "4"]
    ])
    const { code, stderr } = await speedq(["score", predictions!, ...args])
    assert.strictEqual(code, 1)
    assert.match(
      stderr,
      /theirs\.tsv, row 1: its question is "What is shown\?", but "q" in the data of MMStar, and so in 3 of 4 rows; give/
    )
    answered(["A", "B", "A", "B"].map((answer, at) => [`${at + 1}`, at === 0 ? "other" : "q", answer, answer]))
    assert.deepInclude(await json(["score", predictions!, ...args]), { overall: 100 })
  })

  it("names the row of a foreign prediction and prints no stack", async () => {
    const args = ["score", ...files({ 1: "A", 2: "B", 3: "A", 9: "B" })]
    const { code, stdout, stderr } = await speedq([...args, "--json"])
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /theirs\.tsv, row 4 \(index 9\)/)
    assert.notMatch(stderr, /\n {4}at /)
    assert.match((await speedqProcess([...args, "--debug"])).stderr, /\n {4}at /)
  })
})
