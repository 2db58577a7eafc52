/** Text and pictures in one sequence: visual tokens take the places of the image tokens (internvl3.md 3.3). */
import { replaceRows, reshape, type Tensor, tensor } from "@speedq/tensors"
import { embedTokens } from "./language.ts"
import { ImageTokenMismatch } from "./ModelErrors.ts"
import type { Weights } from "./Weights.ts"

/** Flat places of the image tokens in a batch of ids [B * T]. */
export const imageTokenRows = (ids: Int32Array, imageToken: number): Int32Array => {
  const rows: number[] = []
  for (const [row, id] of ids.entries()) if (id === imageToken) rows.push(row)
  return Int32Array.from(rows)
}

/**
 * Embeddings of a batch: ids i32 [B, T] with `imageRows` replaced by `visual` [tiles, tokens, H], in order -> [B, T, H].
 * Raises ImageTokenMismatch when the counts differ.
 */
export const mergeEmbeddings = (
  weights: Weights,
  ids: Tensor,
  visual: Tensor | undefined,
  imageRows: Int32Array
): Tensor => {
  const text = embedTokens(weights, ids)
  const width = text.shape.at(-1)!
  const visualCount = visual === undefined ? 0 : visual.size / width
  if (visualCount !== imageRows.length) {
    throw new ImageTokenMismatch({ placeholders: imageRows.length, visualTokens: visualCount })
  }
  if (visual === undefined || visualCount === 0) return text
  const index = tensor(ids.backend, imageRows, [visualCount], "i32")
  const merged = replaceRows(reshape(text, [text.size / width, width]), reshape(visual, [visualCount, width]), index)
  return reshape(merged, text.shape)
}
