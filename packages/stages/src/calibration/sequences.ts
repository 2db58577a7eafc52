/** Calibration sequences on their way through the decoder, one layer at a time. */
import {
  type Backend,
  gatherRows,
  noGrad,
  reshape,
  scope,
  type Tensor,
  tensor,
  writeRows,
  zeros
} from "@speedq/tensors"
import { decoderLayer, type LanguageConfig, type Weights } from "@speedq/vlm-model"

/** Sequences of hidden states [rows, H], one after the other. */
export interface Sequences {
  readonly hidden: Tensor
  readonly lengths: readonly number[]
  /** 1 for each row that is of a picture, 0 for one of text; undefined where all are of text. */
  readonly visual?: Uint8Array | undefined
}

/** i32 [count]: whole numbers from `first`. */
export const rowsFrom = (backend: Backend, first: number, count: number): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length: count }, (_, i) => first + i),
    [count],
    "i32"
  )

/**
 * A function of each sequence [1, length, H] and its positions i32 [1, length], one at a time: its results, of the same shape, one after
 * the other as rows [rows, H]. The caller releases them.
 */
export const mapSequences = (
  { hidden, lengths }: Sequences,
  body: (input: Tensor, positions: { readonly ids: Tensor }) => Tensor
): Tensor =>
  noGrad(() =>
    scope(() => {
      const { backend, shape } = hidden
      const after = zeros(backend, shape)
      const width = shape[1]!
      let first = 0
      for (const length of lengths) {
        scope(() => {
          const rows = rowsFrom(backend, first, length)
          const positions = { ids: reshape(rowsFrom(backend, 0, length), [1, length]) }
          const result = body(reshape(gatherRows(hidden, rows), [1, length, width]), positions)
          writeRows(after, reshape(result, [length, width]), rows)
        })
        first += length
      }
      return after
    })
  )

/** Hidden states after decoder layer `index`. The caller releases them. */
export const passLayer = (weights: Weights, language: LanguageConfig, index: number, sequences: Sequences): Tensor =>
  mapSequences(sequences, (input, positions) => decoderLayer(weights, language, index, input, positions))
