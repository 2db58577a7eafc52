/** How many answers of a batch a teacher would give. */
import { noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { logitsOfRows, type ModelDirectory, type TrainingBatch, type Weights } from "@speedq/vlm-model"
import { hiddenStates } from "./forward.ts"

/** Rows whose next token is part of an answer, with that token, by sample. */
const answerRows = (labels: ArrayLike<number>, length: number) =>
  Array.from({ length: labels.length - 1 }, (_, row) => ({
    row,
    sample: Math.floor(row / length),
    label: labels[row + 1]!
  })).filter(({ row, label }) => label >= 0 && (row + 1) % length !== 0)

const largest = (values: Float32Array): number =>
  values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)

/** Share of samples all of whose answer tokens are the likeliest ones after the right ones before them. */
export const rightAnswers = async (
  directory: ModelDirectory,
  weights: Weights,
  batch: TrainingBatch
): Promise<number> => {
  const rows = answerRows(batch.labels, batch.length)
  const logits: Tensor = noGrad(() =>
    scope(() => {
      const hidden = hiddenStates(directory, weights, batch)
      const index = tensor(
        hidden.backend,
        Int32Array.from(rows, ({ row }) => row),
        [rows.length],
        "i32"
      )
      return logitsOfRows(weights, directory.config.llm_config, hidden, index)
    })
  )
  const values = (await logits.read()) as Float32Array
  logits.release()
  const width = values.length / rows.length
  const wrong = new Set(
    rows
      .filter(({ label }, i) => largest(values.subarray(i * width, (i + 1) * width)) !== label)
      .map(({ sample }) => sample)
  )
  return 1 - wrong.size / batch.size
}
