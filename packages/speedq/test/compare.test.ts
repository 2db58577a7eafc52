/** `speedq compare`: settings and scores of two runs, as a table, a document and a page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { RunComparison } from "../src/compare/compareRuns.ts"
import { comparisonPage } from "../src/compare/comparisonPage.ts"
import { fails, json, works } from "./support/inProcess.ts"
import { evaluateStage, randomNano, writeRecipe } from "./support/smallRun.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-compare-"))
const [first, second] = [join(directory, "first"), join(directory, "second")]
const embeddings = [{ match: "**", layers: "embedding", use: "embedding-sym4" }]

beforeAll(async () => {
  const model = await randomNano(directory)
  const evaluating = { ...evaluateStage("scores"), nearest: embeddings }
  const stages = (more: object) => [{ ...evaluating, ...more }]
  const runOf = (out: string, more: object) =>
    works(["run", writeRecipe(model, stages(more)), "--out", out, "--set", "seed=3", "--backend", "native:none"])
  await runOf(first, {})
  await runOf(second, { nearest: [] })
})
afterAll(() => rmSync(directory, { recursive: true }))

describe("speedq compare", () => {
  it("shows the settings that differ above the differences of the results", async () => {
    const { stdout } = await works(["compare", first, second])
    const [settings = "", results = ""] = stdout.split("\n\nResults\n")
    assert.match(
      settings,
      /^Settings that differ\nsetting +first +second\nevaluate "scores"\.nearest\[0\] +\{.*embedding-sym4.*\} +nothing/
    )
    assert.match(results, /^measure +first +second +difference\n/)
    assert.match(results, /\nMB +[\d.]+ +[\d.]+ +\+[\d.]+\n/)
  })

  it("prints one document with --json, with intervals of paired answers", async () => {
    const found = (await json(["compare", first, second, first])) as RunComparison
    assert.deepStrictEqual(Object.keys(found), ["runs", "evaluations", "settings", "measures"])
    const [score] = found.measures
    assert.lengthOf(score!.values, 3)
    assert.lengthOf(score!.differences, 2)
    const same = score!.differences[1]!
    assert.strictEqual(same.value, 0)
    assert.isAbove(same.paired!, 0)
    assert.isBelow(same.low!, 0)
    assert.isAbove(same.high!, 0)
  })

  it("writes a page that needs nothing but itself", async () => {
    const page = join(directory, "comparison.html")
    await works(["compare", first, second, "--out", page])
    const text = readFileSync(page, "utf8")
    assert.match(text, /<caption>Settings that differ<\/caption>[\s\S]*<caption>Results<\/caption>/)
    assert.include(text, "<figcaption>Quality against size</figcaption>")
    assert.notMatch(text, /<link|<iframe|@import|url\(|https?:/i)
  })

  it("names no place of this machine in its page", () => {
    const settings = [{ setting: "model", values: ['"/home/ann/models/one"', '"models/two"'] }]
    const page = comparisonPage({ runs: ["a", "b"], evaluations: ["x", "y"], settings, measures: [] })
    assert.notInclude(page, "/home/ann")
    assert.include(page, "models/two")
  })

  it("refuses fewer than two runs, what is no run, and results that no longer hold", async () => {
    await fails(["compare", first], 2)
    assert.match((await fails(["compare", first, directory])).message, /holds no run/)
    const record = JSON.parse(readFileSync(join(second, "run.json"), "utf8"))
    writeFileSync(join(second, "run.json"), JSON.stringify({ ...record, keys: { "01-evaluate": "other" } }))
    assert.match(
      (await fails(["compare", first, second])).message,
      /second cannot be compared: the result of its stage 01-evaluate is stale/
    )
  })
})

describe("the record of a run", () => {
  it("has the command line, which its report shows without absolute paths", () => {
    const { surroundings } = JSON.parse(readFileSync(join(first, "run.json"), "utf8"))
    assert.match(surroundings.command, /^speedq run \/\S+ --out \/\S+ --set seed=3 --backend native:none$/)
    const page = readFileSync(join(first, "report.html"), "utf8")
    assert.match(
      page,
      /<h3>Command<\/h3><pre [^>]*><code>speedq run [^/]+ --out first --set seed=3 --backend native:none</
    )
  })
})
