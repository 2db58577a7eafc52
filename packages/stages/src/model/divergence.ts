/** How far a model's predictions are from another's: Kullback-Leibler divergence over the tokens of an answer. */
import { predictingRows } from "@speedq/distillation"
import { parameterOf } from "@speedq/formats"
import { gatherRows, klRows, linear, noGrad, reshape, scope, sum, type Tensor, tensor } from "@speedq/tensors"
import type { Weights } from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"

/** Final hidden states [B, T, H] of a batch, the weights they came from, and the layer that is the head. */
interface Seen {
  readonly hidden: Tensor
  readonly weights: Weights
  readonly head: string
}

/** Divergences summed over tokens. */
export interface Divergence {
  /** KL(teacher || student), nats. */
  readonly sum: number
  readonly tokens: number
}

/** Logits of some rows, [R, V]. */
const logitsOf = ({ hidden, weights, head }: Seen, rows: readonly number[]): Tensor => {
  const width = hidden.shape.at(-1)!
  const index = tensor(hidden.backend, rows, [rows.length], "i32")
  return linear(gatherRows(reshape(hidden, [hidden.size / width, width]), index), weights.get(parameterOf(head)))
}

/** Sum over the answer tokens of a batch; `chunkRows` pass the head together. */
export const batchDivergence = async (
  { labels, size, length }: Pick<MicroBatch, "labels" | "size" | "length">,
  teacher: Seen,
  student: Seen,
  chunkRows = 32
): Promise<Divergence> => {
  const rows = predictingRows({ values: labels, batch: size, length })
  let total = 0
  for (let start = 0; start < rows.length; start += chunkRows) {
    const chunk = rows.slice(start, start + chunkRows)
    const divergence = noGrad(() =>
      scope(() => {
        const options = { beta: 0, temperature: 1 }
        return sum(klRows(logitsOf(student, chunk), logitsOf(teacher, chunk), undefined, options).forward)
      })
    )
    total += await divergence.item()
    divergence.release()
  }
  return { sum: total, tokens: rows.length }
}
