/** Which rows predict a label and which carry one. */
import { assert, describe, it } from "vitest"
import { allRows, type Labels, labelledRows, predictedLabel, predictingRows, rowsUpToLabels } from "../src/index.ts"

const labels: Labels = { values: Int32Array.of(-100, -100, 7, 8, 9, -100, 5, -100), batch: 2, length: 4 }

describe("labels", () => {
  it("are predicted one position before, never across sequences", () => {
    assert.deepEqual(
      allRows(labels).map((row) => predictedLabel(labels, row)),
      [-100, 7, 8, -100, -100, 5, -100, -100]
    )
  })

  it("are read shifted, or unshifted as the reference masks (quirk 1)", () => {
    assert.deepEqual(predictingRows(labels), [1, 2, 5])
    assert.deepEqual(labelledRows(labels), [2, 3, 4, 6])
  })

  it("end where the last one of each sequence is predicted", () => {
    assert.deepEqual(rowsUpToLabels(labels), [0, 1, 2, 4, 5])
    assert.isEmpty(rowsUpToLabels({ values: Int32Array.of(-100, -100, -100), batch: 1, length: 3 }))
  })
})
