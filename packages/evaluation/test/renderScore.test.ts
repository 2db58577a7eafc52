import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { hallusionBench } from "../src/benchmarks/HallusionBench.ts"
import { mmmuDevVal } from "../src/benchmarks/MmmuDevVal.ts"
import { nano } from "../src/benchmarks/Nano.ts"
import { ocrBench } from "../src/benchmarks/OcrBench.ts"
import { renderScore } from "../src/scoring/renderScore.ts"
import { score } from "../src/scoring/Score.ts"
import { rowOf } from "./rows.ts"

describe("renderScore", () => {
  it.effect("accuracies with standard errors, aligned also with wide characters", () =>
    Effect.gen(function* () {
      const rows = [
        rowOf({ index: "1", answer: "3", category: "count" }),
        rowOf({ index: "2", answer: "3", category: "count" }),
        rowOf({ index: "3", answer: "红", category: "颜色" }),
        rowOf({ index: "4", answer: "x", category: "bell\u0007" })
      ]
      const says = ["3", "4", "红"].map((prediction, i) => ({ index: String(i + 1), prediction }))
      const table = renderScore(yield* score(nano, rows, says))
      assert.deepStrictEqual(table.split("\n"), [
        "nano  66.67 %  (split none, 3 of 4 rows, matcher 2025-08)",
        "1 row has no prediction and is in no denominator",
        "",
        "split, category   score    error  rows",
        "none              66.67  ± 27.22     3",
        "  count           50.00  ± 35.36     2",
        "  颜色           100.00   ± 0.00     1"
      ])
    })
  )

  it.effect("parts of composed scores, points, and what is not known", () =>
    Effect.gen(function* () {
      const hallusion = [rowOf({ index: "VD_a_1_0_0_0", answer: "Yes", category: "VD", "l2-category": "VD_a" })]
      const table = renderScore(yield* score(hallusionBench, hallusion, [{ index: "VD_a_1_0_0_0", prediction: "yes" }]))
      assert.match(table, /split, category {3}score {4}aAcc {4}fAcc {4}qAcc {2}rows/)
      const ocr = [rowOf({ index: "1", answer: "['a']", category: "Doc-oriented VQA" })]
      const points = renderScore(yield* score(ocrBench, ocr, [{ index: "1", prediction: "a" }]))
      assert.match(points, /^OCRBench {2}1\.00 points {2}\(split none, 1 of 1 rows/)
      assert.match(points, /Doc-oriented VQA +1\.00 +1$/m)
      const mmmu = ["dev", "validation"].map((split) => rowOf({ index: split, split, A: "x", B: "y", answer: "A" }))
      const part = renderScore(yield* score(mmmuDevVal, mmmu, [{ index: "dev", prediction: "A" }]))
      assert.match(part, /^MMMU_DEV_VAL {2}- % {2}\(split validation, 1 of 2 rows/)
    })
  )
})
