/**
 * The teacher's confidence, CAKLD's beta (docs/method.md, "Teacher confidence"): mean over rows of its largest
 * probability, and the mean of that over batches.
 */
import {
  addInto,
  confidenceRows,
  gatherRows,
  linear,
  noGrad,
  reshape,
  scale,
  scope,
  sum,
  type Tensor,
  tensor,
  zeros
} from "@speedq/tensors"
import type { LanguageHead } from "./vocabularyLoss.ts"

/** Mean of max_v softmax(logits) over the given flat rows of a batch, [1]; 0 when there are none. `chunkRows` pass the head together. */
export const teacherConfidence = (teacher: LanguageHead, rows: readonly number[], chunkRows = 32): Tensor =>
  noGrad(() => {
    const { hidden, weight } = teacher
    const total = zeros(hidden.backend, [1])
    const width = hidden.shape.at(-1)!
    for (let start = 0; start < rows.length; start += chunkRows) {
      scope(() => {
        const chunk = rows.slice(start, start + chunkRows)
        const index = tensor(hidden.backend, chunk, [chunk.length], "i32")
        const logits = linear(gatherRows(reshape(hidden, [hidden.size / width, width]), index), weight)
        addInto(total, scale(sum(confidenceRows(logits)), 1 / rows.length))
      })
    }
    return total
  })

/**
 * beta of some batches' confidences: their mean, 0 without any. `divideBy` divides by another number than that of the
 * batches, as the reference does, which sums 101 and divides by 100 (docs/quirks.md#quirk-2).
 */
export const meanConfidence = (batches: readonly number[], divideBy = batches.length): number =>
  batches.length === 0 ? 0 : batches.reduce((sum, confidence) => sum + confidence, 0) / divideBy
