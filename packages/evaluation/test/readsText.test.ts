import { assert, describe, it } from "vitest"
import { formulaCategory, readsText } from "../src/matching/readsText.ts"

const table: readonly (readonly [category: string, prediction: string, expected: readonly string[], points: number])[] =
  [
    ["Regular Text Recognition", "CENTRE", ["centre"], 1],
    ["Regular Text Recognition", "the centre of", ["CENTRE"], 1],
    ["Scene Text-centric VQA", "12", ["1"], 1],
    ["Doc-oriented VQA", "$1,000", ["1000"], 0],
    ["Doc-oriented VQA", "1,000", ["1,000", "1000"], 1],
    ["Key Information Extraction", "12 JAN\n2018", ["12 jan 2018"], 1],
    ["Key Information Extraction", "12  JAN 2018", ["12 jan 2018"], 0],
    [formulaCategory, "x ^ { 2 } + 1", ["x^{2}+1"], 1],
    [formulaCategory, "$$X^{2}+1$$", ["x^{2}+1"], 0],
    [formulaCategory, "$x^{2}+1$", ["x ^ { 2 } + 1"], 1],
    ["Non-Semantic Text Recognition", "abcd", ["abcde"], 0],
    ["Digit String Recognition", "0123456", ["123"], 1],
    ["Scene Text-centric VQA", "", ["a"], 0],
    ["Scene Text-centric VQA", "nan", ["a"], 1],
    ["Scene Text-centric VQA", "anything", [""], 1],
    ["Scene Text-centric VQA", "anything", [], 0]
  ]

describe("readsText", () => {
  for (const [category, prediction, expected, points] of table) {
    it(`${category}: ${JSON.stringify(prediction)} for ${JSON.stringify(expected)} gives ${points}`, () => {
      assert.strictEqual(readsText(prediction, expected, category), points === 1)
    })
  }
})
