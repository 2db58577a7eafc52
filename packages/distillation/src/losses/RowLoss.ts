/** A loss over rows of the vocabulary, with its options fixed: which rows it reads, and what they cost. */
import type { Tensor } from "@speedq/tensors"
import type { Labels, RowWeights } from "../vocabulary/Labels.ts"

/** A few rows of logits at a time; everything of shape [R, ...] belongs to the same rows. */
export interface RowBatch {
  /** Student logits [R, V]. */
  readonly student: Tensor
  /** Teacher logits [R, V]; present when the loss says that it needs them. */
  readonly teacher: Tensor | undefined
  /** i32 [R]: the label each row predicts, -100 for none. */
  readonly labels: Tensor
  /** [R]: factor of each row in the total loss, 0 for rows that only other losses read. */
  readonly weights: Tensor
  /** [R, V]: the loss adds its weighted gradient by the student logits here; absent when none is wanted. */
  readonly gradient: Tensor | undefined
}

export interface RowLoss {
  /** Name of its part of the total; losses of one name are one part. */
  readonly name: string
  readonly needsTeacher: boolean
  /** The rows it reads, and each one's factor: 1/n for a mean over n rows. */
  readonly rowWeights: (labels: Labels) => RowWeights
  /** Losses of the rows, [R], before weighting. */
  readonly rows: (batch: RowBatch) => Tensor
}

/** The same loss, `factor` times as strong. */
export const weighted = (factor: number, loss: RowLoss): RowLoss => ({
  ...loss,
  rowWeights: (labels) => new Map([...loss.rowWeights(labels)].map(([row, weight]) => [row, factor * weight]))
})
