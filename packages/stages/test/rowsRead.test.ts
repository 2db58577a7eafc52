/** Rows of logits that a forecast counts for a record. */
import { cakld, crossEntropy } from "@speedq/distillation"
import { assert, describe, it } from "vitest"
import { rowsRead } from "../src/planning/rowsRead.ts"

describe("rows that losses read of a record", () => {
  const record = { tokens: 40, answers: 6 }
  const labels = crossEntropy({ labelSmoothing: 0 })
  it("are those of its answers, each counted once", () => {
    assert.strictEqual(rowsRead([labels], record), 6)
    assert.strictEqual(rowsRead([labels, cakld({ confidence: 0.5 })], record), 6)
    assert.strictEqual(rowsRead([], record), 0)
  })
  it("are all up to the last answer where the teacher is followed everywhere", () => {
    assert.strictEqual(rowsRead([labels, cakld({ confidence: 0.5, mask: "all" })], record), 39)
  })
})
