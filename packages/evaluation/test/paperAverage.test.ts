/** The average of the paper's figures is that of eight benchmarks, and of nothing less. */
import { assert, describe, it } from "vitest"
import { benchmarks, paperAverage } from "../src/index.ts"

const paper = benchmarks
  .filter(({ name }) => name !== "nano")
  .map(({ name }, index) => ({ benchmark: name, overall: 10 * index }))

describe("paperAverage", () => {
  it("is the mean of all nine but OCRBench, which counts points", () => {
    assert.strictEqual(paper.length, 9)
    const [first, second, ocr, ...others] = paper
    assert.strictEqual(ocr!.benchmark, "OCRBench")
    const expected = [first!, second!, ...others].reduce((sum, { overall }) => sum + overall, 0) / 8
    assert.strictEqual(paperAverage(paper), expected)
    assert.strictEqual(paperAverage(paper.filter(({ benchmark }) => benchmark !== "OCRBench")), expected)
    assert.strictEqual(paperAverage([...paper].reverse()), expected)
  })

  it("is undefined where one of the eight was not asked, or asked twice", () => {
    for (const { benchmark } of paper.filter((score) => score.benchmark !== "OCRBench")) {
      const rest = paper.filter((score) => score.benchmark !== benchmark)
      assert.isUndefined(paperAverage(rest))
      assert.isUndefined(paperAverage([...paper, { benchmark, overall: 1 }]))
    }
    assert.isUndefined(paperAverage([]))
  })
})
