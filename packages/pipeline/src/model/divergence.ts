/** How far a model's predictions are from the full-precision model's: Kullback-Leibler divergence per answer token. */
import { predictingRows } from "@speedq/distillation"
import { gatherRows, klRows, linear, noGrad, reshape, scope, sum, type Tensor, tensor } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import type { MicroBatch } from "../training/SampleSource.ts"
import { headName } from "./quantizedEmbeddings.ts"

export interface Divergence {
  /** Mean KL(full precision || model), nats a token. */
  readonly perToken: number
  readonly tokens: number
}

/** Sum over the answer tokens of a batch of KL(teacher || student), and their number. */
export const batchDivergence = async (
  batch: MicroBatch,
  teacher: { readonly hidden: Tensor; readonly weights: Weights },
  student: { readonly hidden: Tensor; readonly weights: Weights },
  chunkRows = 32
): Promise<{ readonly sum: number; readonly tokens: number }> => {
  const rows = predictingRows({ values: batch.labels, batch: batch.size, length: batch.length })
  let total = 0
  for (let start = 0; start < rows.length; start += chunkRows) {
    const chunk = rows.slice(start, start + chunkRows)
    const divergence = noGrad(() =>
      scope(() => {
        const logits = ({ hidden, weights }: typeof teacher) => {
          const width = hidden.shape.at(-1)!
          const index = tensor(hidden.backend, chunk, [chunk.length], "i32")
          return linear(gatherRows(reshape(hidden, [hidden.size / width, width]), index), weights.get(headName))
        }
        return sum(klRows(logits(student), logits(teacher), undefined, { beta: 0, temperature: 1 }).forward)
      })
    )
    total += await divergence.item()
    divergence.release()
  }
  return { sum: total, tokens: rows.length }
}
