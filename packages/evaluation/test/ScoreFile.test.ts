import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import type { Benchmark } from "../src/benchmarks/Benchmark.ts"
import { hallusionBench } from "../src/benchmarks/HallusionBench.ts"
import { mmbenchDevEnV11 } from "../src/benchmarks/MmbenchDevEnV11.ts"
import { mmmuDevVal } from "../src/benchmarks/MmmuDevVal.ts"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { ocrBench } from "../src/benchmarks/OcrBench.ts"
import { formulaCategory } from "../src/matching/readsText.ts"
import { Answerer } from "../src/run/Answerer.ts"
import { evaluate } from "../src/run/evaluate.ts"
import { fileIn, pngBase64, temporaryDirectory, tsvOf } from "./dataFiles.ts"
import { rowOf } from "./rows.ts"

type Cells = Readonly<Record<string, string>>

/** The score file of rows whose cell `says` is the prediction. */
const fileOf = (benchmark: Benchmark, table: readonly Cells[]) => {
  const answered = table.map(({ says = "", ...cells }) => ({ row: rowOf(cells), prediction: says }))
  return benchmark.scoreFile(benchmark.mark(answered, "2025-08"))
}

describe("score files of VLMEvalKit", () => {
  it("acc.csv: level-2 categories by their abbreviations, then categories, shares, every field quoted", () => {
    const choice = (index: string, says: string, more: Cells) => ({ index, A: "x", B: "y", answer: "A", says, ...more })
    const { ending, text } = fileOf(mmStar, [
      choice("1", "A", { "l2-category": "logic_reasoning", category: "b" }),
      choice("2", "B", { "l2-category": "logic_reasoning", category: 'say "a"' }),
      choice("3", "A", { "l2-category": "attribute_reasoning", category: "b" })
    ])
    assert.strictEqual(ending, "acc.csv")
    assert.strictEqual(
      text,
      '"split","Overall","AR","LR","b","say ""a"""\n"none","0.6666666666666666","1.0","0.5","1.0","0.0"\n'
    )
  })

  it("acc.csv: a line a split; a category that a split does not have is empty", () => {
    const row = (index: string, split: string, category: string, says: string) => ({
      ...{ index, split, category, says },
      ...{ A: "x", B: "y", answer: "A" }
    })
    const { text } = fileOf(mmmuDevVal, [
      row("v1", "validation", "Art", "B"),
      row("v2", "validation", "Math", "A"),
      row("d1", "dev", "Math", "A")
    ])
    assert.strictEqual(text, '"split","Overall","Art","Math"\n"dev","1.0","","1.0"\n"validation","0.5","0.0","1.0"\n')
  })

  it("acc.csv: questions, not rotations, of circular evaluation", () => {
    const rotation = (index: string, answer: string, says: string) => ({
      ...{ index, answer, says },
      ...{ A: "x", B: "y", split: "dev", "l2-category": "attribute_reasoning" }
    })
    const { text } = fileOf(mmbenchDevEnV11, [
      rotation("3", "A", "A"),
      rotation("1000003", "B", "B"),
      rotation("4", "A", "A"),
      rotation("1000004", "B", "A")
    ])
    assert.strictEqual(text, '"split","Overall","AR"\n"dev","0.5","0.5"\n')
  })

  it("score.csv: the worked example of HallusionBench", () => {
    const { ending, text } = fileOf(
      hallusionBench,
      [
        ["VD_illusion_1_0_0_0", "No", "No"],
        ["VD_illusion_1_0_1_0", "Yes", "Yes"],
        ["VD_illusion_1_0_1_1", "No", "Yes"],
        ["VD_illusion_1_0_0_1", "Yes", "Yes"],
        ["VS_chart_1_0_1_0", "Yes", "I cannot tell"],
        ["VS_chart_2_0_2_0", "No", "No"]
      ].map(([index = "", answer = "", says = ""]) => {
        const [category = "", kind] = index.split("_")
        return { index, answer, says, category, "l2-category": `${category}_${kind}` }
      })
    )
    assert.strictEqual(ending, "score.csv")
    // 4 of 6 is 66.66666666666666 here: numpy's mean times 100.
    assert.strictEqual(
      text,
      [
        '"split","aAcc","fAcc","qAcc"',
        '"Overall","66.66666666666666","50.0","33.33333333333333"',
        '"VD","75.0","50.0","50.0"',
        '"VS","50.0","50.0","0.0"',
        '"VD_illusion","75.0","50.0","50.0"',
        '"VS_chart","50.0","50.0","0.0"',
        ""
      ].join("\n")
    )
  })

  it("score.json: OCRBench's points by group", () => {
    const row = (index: string, category: string, answer: string, says: string) => ({ index, category, answer, says })
    const { ending, text } = fileOf(ocrBench, [
      row("1", "Regular Text Recognition", "['centre']", "CENTRE"),
      row("2", "Digit String Recognition", "['123']", "0123456"),
      row("3", "Non-Semantic Text Recognition", "['abcde']", "abcd"),
      row("4", formulaCategory, "['x']", "x + 1")
    ])
    assert.strictEqual(ending, "score.json")
    assert.strictEqual(
      text,
      [
        "{",
        '    "Text Recognition": 2,',
        '    "Scene Text-centric VQA": 0,',
        '    "Doc-oriented VQA": 0,',
        '    "Key Information Extraction": 0,',
        `    "${formulaCategory}": 1,`,
        '    "Final Score": 3,',
        '    "Final Score Norm": 0.3',
        "}"
      ].join("\n")
    )
  })

  it.effect("lie beside the predictions", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const image = yield* Effect.promise(() => pngBase64(1))
      const data = fileIn(
        directory,
        "d.tsv",
        tsvOf(
          ["index", "image", "question", "A", "B", "answer"],
          [
            ["1", image, "q", "x", "y", "A"],
            ["2", "1", "q", "x", "y", "B"]
          ]
        )
      )
      const alwaysA = Answerer.of({ model: "m", answer: () => Effect.succeed("A") })
      const { scoreFile } = yield* evaluate(mmStar, { data, out: directory, name: "m" }).pipe(
        Effect.provideService(Answerer, alwaysA)
      )
      assert.strictEqual(scoreFile, join(directory, "m_MMStar_acc.csv"))
      assert.strictEqual(readFileSync(scoreFile, "utf8"), '"split","Overall"\n"none","0.5"\n')
    })
  )
})
