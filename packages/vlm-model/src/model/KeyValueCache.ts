/**
 * Keys and values of earlier tokens, so that generation reads each of them once. Sequences of equal length can go together:
 * their tokens are stored side by side, and attention sees them as further heads with groups of their own.
 */
import {
  attention,
  type Backend,
  keep,
  leadingRows,
  noGrad,
  reshape,
  scope,
  type Tensor,
  tensor,
  writeRows,
  zeros
} from "@speedq/tensors"
import { headWidth, type LanguageConfig } from "./ModelConfig.ts"

/** Whole numbers from `first` on. */
export const countFrom = (first: number, count: number): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => first + i)

export interface KeyValueCache {
  /** Tokens stored. */
  readonly length: number
  /**
   * Appends k, v [T, B, G, D] of a layer, B sequences, and attends q [T, B, H, D] over all stored of each: -> [T, B, H, D].
   * A single sequence may also come as [1, T, ...].
   */
  readonly attend: (layer: number, q: Tensor, k: Tensor, v: Tensor, scale: number) => Tensor
  /** Call once a token batch has passed all layers. */
  readonly advance: (tokens: number) => void
  /** Forgets all tokens but the first ones. */
  readonly rewind: (length: number) => void
  /** Makes room for as many tokens in all; those that are stored stay. */
  readonly reserve: (capacity: number) => void
  readonly release: () => void
}

/** A cache for up to `capacity` tokens of each of some sequences, on `backend`; `reserve` makes room for more. */
export const makeKeyValueCache = (
  backend: Backend,
  config: LanguageConfig,
  capacity: number,
  sequences = 1
): KeyValueCache => {
  const groups = sequences * config.num_key_value_heads
  const heads = sequences * config.num_attention_heads
  const width = headWidth(config)
  const rowWidth = groups * width
  const rowsFor = (count: number) => keep(zeros(backend, [count, rowWidth]))
  const layers = Array.from({ length: config.num_hidden_layers }, () => ({
    k: rowsFor(capacity),
    v: rowsFor(capacity)
  }))
  let [length, room] = [0, capacity]
  /** The stored rows in a place with room for `count`. */
  const moved = (rows: Tensor, count: number): Tensor => {
    const larger = rowsFor(count)
    if (length > 0) {
      const index = tensor(backend, countFrom(0, length), [length], "i32")
      writeRows(larger, leadingRows(rows, length), index)
    }
    rows.release()
    return larger
  }
  /** Places of the new tokens, for all layers of a step. */
  let places: Tensor | undefined
  const placesOf = (count: number): Tensor => {
    places ??= keep(tensor(backend, countFrom(length, count), [count], "i32"))
    return places
  }
  const forgetPlaces = () => {
    places?.release()
    places = undefined
  }
  return {
    get length() {
      return length
    },
    attend: (layer, q, k, v, scale) => {
      const stored = layers[layer]!
      const count = k.size / rowWidth
      const index = placesOf(count)
      writeRows(stored.k, reshape(k, [count, rowWidth]), index)
      writeRows(stored.v, reshape(v, [count, rowWidth]), index)
      // Query i of the new tokens sits at position length + i: causal attention aligns the ends.
      const seen = (rowsOf: Tensor) => reshape(leadingRows(rowsOf, length + count), [1, length + count, groups, width])
      const queries = reshape(q, [1, count, heads, width])
      return reshape(attention(queries, seen(stored.k), seen(stored.v), { causal: true, scale }), q.shape)
    },
    advance: (tokens) => {
      length += tokens
      forgetPlaces()
    },
    rewind: (kept) => {
      length = Math.min(length, kept)
      forgetPlaces()
    },
    reserve: (count) => {
      if (count <= room) return
      room = count
      noGrad(() =>
        scope(() => {
          for (const layer of layers) {
            layer.k = moved(layer.k, count)
            layer.v = moved(layer.v, count)
          }
        })
      )
    },
    release: () => {
      forgetPlaces()
      for (const { k, v } of layers) {
        k.release()
        v.release()
      }
    }
  }
}
