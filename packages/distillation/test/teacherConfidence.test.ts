/** CAKLD's beta: the teacher's mean largest probability (docs/method.md, "Teacher confidence"). */
import { scope, tensor } from "@speedq/tensors"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { allRows, labelledRows, meanConfidence, predictingRows, teacherConfidence } from "../src/index.ts"
import { arbitraryBatch, headOf } from "./support/arbitraryLogits.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

/** max_v softmax(logits) */
const largestProbability = (logits: Float32Array): number => {
  const shift = Math.max(...logits)
  return 1 / logits.reduce((sum, value) => sum + Math.exp(value - shift), 0)
}

onEveryBackend("the teacher's confidence", (backend) => {
  it("is the mean over the chosen rows, in chunks of any size", () =>
    fc.assert(
      fc.asyncProperty(arbitraryBatch, fc.integer({ min: 1, max: 40 }), async (batch, chunkRows) => {
        const { labels, teacher, vocabulary } = batch
        for (const rows of [allRows(labels), predictingRows(labels), labelledRows(labels)]) {
          const before = backend.usage().buffers
          const measured = scope(() => teacherConfidence(headOf(backend, batch, teacher), rows, chunkRows))
          const expected = rows.map((row) =>
            largestProbability(teacher.subarray(row * vocabulary, (row + 1) * vocabulary))
          )
          assert.closeTo(await measured.item(), meanConfidence(expected), 1e-5)
          measured.release()
          assert.strictEqual(backend.usage().buffers, before)
        }
      }),
      { seed: 83, numRuns: 30 }
    ))

  it("is 1 for a sure teacher and 1 / V for one that knows nothing", async () => {
    const weight = tensor(backend, [1, 0, 0, 1], [2, 2])
    const of = (hidden: readonly number[]) =>
      teacherConfidence({ hidden: tensor(backend, hidden, [1, 1, 2]), weight }, [0]).item()
    assert.closeTo(await of([100, 0]), 1, 1e-6)
    assert.closeTo(await of([3, 3]), 0.5, 1e-6)
  })
})

describe("beta", () => {
  it("is the mean of the batches, 0 without any", () => {
    assert.closeTo(meanConfidence([0.2, 0.4, 0.9]), 0.5, 1e-12)
    assert.strictEqual(meanConfidence([]), 0)
  })

  it("divides 101 batches by 100 as the reference does, when asked (quirk 2)", () => {
    const batches = new Array<number>(101).fill(0.5)
    assert.closeTo(meanConfidence(batches), 0.5, 1e-12)
    assert.closeTo(meanConfidence(batches, 100), 0.505, 1e-12)
  })
})
