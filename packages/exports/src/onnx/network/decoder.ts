/**
 * The decoder with its cache of keys and values and the head, as transformers.js calls it: inputs_embeds [B, T, H], attention_mask [B, P + T],
 * num_logits_to_keep (0 is all), past_key_values.i.{key,value} [B, G, P, D] -> logits [B, rows, V], present.i.{key,value} [B, G, P + T, D].
 */
import {
  decoderNorm,
  headLayerOf,
  headWidth,
  keyValueWidth,
  type LanguageConfig,
  layerNames,
  type ModelConfig,
  queryWidth
} from "@speedq/vlm-model"
import { type GraphParts, microsoft, type Value } from "../protobuf/onnxMessages.ts"
import { linear, type Place, rmsNorm } from "../weights/layers.ts"
import { rotaryTables } from "./rotaryTables.ts"

/** What attention of every layer takes beside queries, keys and values. */
interface Positions {
  /** i32 [B]: place of each sequence's last token. */
  readonly last: string
  /** i32: tokens of the longest sequence. */
  readonly total: string
  readonly cos: string
  readonly sin: string
}

const positionsOf = ({ graph }: Place, language: LanguageConfig): Positions => {
  const mask = "attention_mask"
  const lengths = graph.op("ReduceSum", [mask, graph.constant("i64", [1])], { keepdims: 0 })
  const tables = rotaryTables(graph, {
    base: language.rope_theta,
    width: headWidth(language),
    positions: language.max_position_embeddings
  })
  return {
    ...tables,
    last: graph.cast(graph.op("Sub", [lengths, graph.constant("i64", [1])]), "i32"),
    total: graph.cast(graph.op("Gather", [graph.op("Shape", [mask]), graph.constant("i64", 1)]), "i32")
  }
}

const cacheNames = (index: number) => ({
  past: ["key", "value"].map((part) => `past_key_values.${index}.${part}`),
  present: ["key", "value"].map((part) => `present.${index}.${part}`)
})

/** Causal grouped-query attention with rotary positions: [B, T, H] -> [B, T, H]. */
const selfAttention = (
  place: Place,
  language: LanguageConfig,
  index: number,
  x: string,
  positions: Positions
): string => {
  const { graph } = place
  const { qkv, qNorm, kNorm, output } = layerNames(language, index)
  if ("fused" in qkv) throw new Error(`no graph is made of the fused Linear ${qkv.fused}`)
  const { num_attention_heads: num_heads, num_key_value_heads: kv_num_heads, rms_norm_eps: eps } = language
  /** Each head [D] of its own, where the decoder has such a norm. */
  const normed = (rows: string, norm: string | undefined, width: number) =>
    norm === undefined
      ? rows
      : graph.reshape(rmsNorm(place, norm, graph.reshape(rows, [0, 0, -1, headWidth(language)]), eps), [0, 0, width])
  const q = normed(linear(place, qkv.q, x), qNorm, queryWidth(language))
  const k = normed(linear(place, qkv.k, x), kNorm, keyValueWidth(language))
  const v = linear(place, qkv.v, x)
  const { past, present } = cacheNames(index)
  const { last, total, cos, sin } = positions
  const mixed = `attention.${index}`
  const attributes = { num_heads, kv_num_heads, do_rotary: 1, rotary_interleaved: 0 }
  graph.ops(
    "GroupQueryAttention",
    [q, k, v, ...past, last, total, cos, sin],
    [mixed, ...present],
    attributes,
    microsoft
  )
  return linear(place, output, mixed)
}

/** h = x + attn(RMS1(x)); y = h + down(silu(gate(RMS2(h))) up(RMS2(h))): [B, T, H] -> [B, T, H]. */
const layer = (place: Place, language: LanguageConfig, index: number, x: string, positions: Positions): string => {
  const { graph } = place
  const { inputNorm, mlpNorm, gate, up, down } = layerNames(language, index)
  const eps = language.rms_norm_eps
  const attended = selfAttention(place, language, index, rmsNorm(place, inputNorm, x, eps), positions)
  const h = graph.op("Add", [x, attended])
  const normed = rmsNorm(place, mlpNorm, h, eps)
  const gated = linear(place, gate, normed)
  const silu = graph.op("Mul", [gated, graph.op("Sigmoid", [gated])])
  return graph.op("Add", [h, linear(place, down, graph.op("Mul", [silu, linear(place, up, normed)]))])
}

/** transformers.js makes the first cache with one sequence of no tokens, and finds the axis of sequences by its name. */
const cacheValues = (language: LanguageConfig, names: readonly string[], tokens: string): readonly Value[] =>
  names.map((name) => ({
    name,
    type: "f32",
    shape: ["batch_size", language.num_key_value_heads, tokens, headWidth(language)]
  }))

export const decoder = (place: Place, { llm_config: language }: ModelConfig): GraphParts => {
  const { graph } = place
  const positions = positionsOf(place, language)
  const layers = Array.from({ length: language.num_hidden_layers }, (_, index) => index)
  const hidden = layers.reduce((x, index) => layer(place, language, index, x, positions), "inputs_embeds")
  // The last rows before the head: logits of a whole prompt would be the largest of all tensors.
  const first = graph.reshape(graph.op("Neg", ["num_logits_to_keep"]), [1])
  const [end, axis] = [graph.constant("i64", [2 ** 31]), graph.constant("i64", [1])]
  const kept = graph.op("Slice", [hidden, first, end, axis])
  const logits = linear(place, headLayerOf(language), rmsNorm(place, decoderNorm, kept, language.rms_norm_eps))
  graph.ops("Identity", [logits], ["logits"])
  const { hidden_size: width, vocab_size: vocabulary } = language
  return graph.parts(
    "decoder_model_merged",
    [
      { name: "inputs_embeds", type: "f32", shape: ["batch_size", "sequence_length", width] },
      { name: "attention_mask", type: "i64", shape: ["batch_size", "total_sequence_length"] },
      { name: "num_logits_to_keep", type: "i64", shape: [] },
      ...layers.flatMap((index) => cacheValues(language, cacheNames(index).past, "past_sequence_length"))
    ],
    [
      { name: "logits", type: "f32", shape: ["batch_size", "rows", vocabulary] },
      ...layers.flatMap((index) => cacheValues(language, cacheNames(index).present, "total_sequence_length"))
    ]
  )
}
