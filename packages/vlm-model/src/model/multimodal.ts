/**
 * Text and pictures in one sequence: visual tokens take the places of the image tokens (docs/method.md,
 * "Visual tokens").
 */
import { replaceRows, reshape, type Tensor, tensor } from "@speedq/tensors"
import { embedTokens } from "./language.ts"
import type { LanguageConfig } from "./ModelConfig.ts"
import { ImageTokenMismatch } from "./ModelErrors.ts"
import type { Weights } from "./Weights.ts"

/** Flat places of the image tokens in a batch of ids [B * T]. */
export const imageTokenRows = (ids: Int32Array, imageToken: number): Int32Array => {
  const rows: number[] = []
  for (const [row, id] of ids.entries()) if (id === imageToken) rows.push(row)
  return Int32Array.from(rows)
}

/**
 * Embeddings of a batch: ids i32 [B, T] with `imageRows` replaced by the rows of `visual`, tensors [..., H] one after the
 * other -> [B, T, H]. Raises ImageTokenMismatch when the counts differ.
 */
export const mergeEmbeddings = (
  weights: Weights,
  config: LanguageConfig,
  ids: Tensor,
  visual: readonly Tensor[],
  imageRows: Int32Array
): Tensor => {
  const text = embedTokens(weights, config, ids)
  const width = text.shape.at(-1)!
  const counts = visual.map((part) => part.size / width)
  const visualTokens = counts.reduce((sum, count) => sum + count, 0)
  if (visualTokens !== imageRows.length) {
    throw new ImageTokenMismatch({ placeholders: imageRows.length, visualTokens })
  }
  let merged = reshape(text, [text.size / width, width])
  let next = 0
  for (const [part, count] of counts.entries()) {
    if (count === 0) continue
    const index = tensor(ids.backend, imageRows.slice(next, next + count), [count], "i32")
    merged = replaceRows(merged, reshape(visual[part]!, [count, width]), index)
    next += count
  }
  return reshape(merged, text.shape)
}
