/**
 * Distance of the final hidden states, mean over the rows that predict a label and over the H channels:
 *
 *   d = 1 / (n H) sum over rows r, channels c of (student[r, c] - teacher[r, c])^2
 *
 * Distillation of hidden states after TinyBERT (Jiao et al., arXiv:1909.10351 §3, without its linear map: both have one width).
 * The paper of SPEED-Q has no such loss.
 */
import { gatherRows, reshape, squaredError, type Tensor, tensor, zeros } from "@speedq/tensors"
import { HiddenMismatch } from "../Errors.ts"
import { type Labels, predictingRows } from "../vocabulary/Labels.ts"

/** Name of its part of the loss. */
export const hiddenPart = "hidden"

const rowsOf = (hidden: Tensor, index: Tensor): Tensor => {
  const width = hidden.shape.at(-1)!
  return gatherRows(reshape(hidden, [hidden.size / width, width]), index)
}

/** [B, T, H] of student and teacher -> [1], differentiable by the student's; 0 where no row predicts a label. Raises HiddenMismatch. */
export const hiddenDistance = (student: Tensor, teacher: Tensor, labels: Labels): Tensor => {
  const width = student.shape.at(-1)!
  if (teacher.shape.at(-1) !== width) throw new HiddenMismatch({ student: width, teacher: teacher.shape.at(-1)! })
  const rows = predictingRows(labels)
  if (rows.length === 0) return zeros(student.backend, [1])
  const index = tensor(student.backend, Int32Array.from(rows), [rows.length], "i32")
  return squaredError(rowsOf(student, index), rowsOf(teacher, index), 1 / (rows.length * width))
}
