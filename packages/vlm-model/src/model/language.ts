/**
 * The Qwen2 and Qwen3 decoders: embeddings to final hidden states, and logits for the rows that are asked for (docs/method.md,
 * "Decoder").
 */
import { parameterOf } from "@speedq/formats"
import { add, attention, gatherRows, reshape, rmsNorm, rotary, scope, siluTimes, type Tensor } from "@speedq/tensors"
import type { KeyValueCache } from "./KeyValueCache.ts"
import { decoderKind, headWidth, type LanguageConfig, queryWidth } from "./ModelConfig.ts"
import { headProduct, linearLayer, type Weights, weightRows } from "./Weights.ts"

/** What the decoder needs to know about a batch besides its embeddings. */
export interface Positions {
  /** i32 [B, T]: position of each token in its sequence. */
  readonly ids: Tensor
  /** i32 [B, T]: 1 where a token may be attended; absent when all may. */
  readonly keyMask?: Tensor | undefined
}

/** Names of the token embedding [V, H] and of the head [V, H]. */
export const embeddingLayer = "language_model.model.embed_tokens"
export const headLayer = "language_model.lm_head"

/** The layer whose matrix makes logits: the embedding where the model ties the two, a head of its own elsewhere. */
export const headLayerOf = ({ tie_word_embeddings }: LanguageConfig): string =>
  tie_word_embeddings ? embeddingLayer : headLayer

/** Name of decoder layer `index` in the checkpoint. */
export const decoderLayerName = (index: number): string => `language_model.model.layers.${index}`

const composeNames = (layer: string) => ({
  inputNorm: `${layer}.input_layernorm`,
  q: `${layer}.self_attn.q_proj`,
  k: `${layer}.self_attn.k_proj`,
  v: `${layer}.self_attn.v_proj`,
  qNorm: `${layer}.self_attn.q_norm`,
  kNorm: `${layer}.self_attn.k_norm`,
  o: `${layer}.self_attn.o_proj`,
  attentionNorm: `${layer}.post_attention_layernorm`,
  gate: `${layer}.mlp.gate_proj`,
  up: `${layer}.mlp.up_proj`,
  down: `${layer}.mlp.down_proj`
})

type LayerNames = ReturnType<typeof composeNames>

const composed: LayerNames[] = []

/** Names of the parts of decoder layer `index`: composed once, as a token asks for all of them. */
const layerNames = (index: number): LayerNames => (composed[index] ??= composeNames(decoderLayerName(index)))

const norm = (weights: Weights, name: string, x: Tensor, config: LanguageConfig): Tensor =>
  rmsNorm(x, weights.get(parameterOf(name)), config.rms_norm_eps)

/** Rows of the embedding table: ids i32 [B, T] -> [B, T, H]. */
export const embedTokens = (weights: Weights, ids: Tensor): Tensor => weightRows(weights, embeddingLayer, ids)

/**
 * Causal grouped-query attention with rotary positions: [B, T, H] -> [B, T, H]. Where the decoder has query and key norms, each
 * head [D] of both is normalized before it is rotated.
 */
const selfAttention = (
  weights: Weights,
  config: LanguageConfig,
  index: number,
  x: Tensor,
  positions: Positions,
  cache: KeyValueCache | undefined
): Tensor => {
  const names = layerNames(index)
  const [batch, length] = x.shape as readonly [number, number, number]
  const width = headWidth(config)
  const heads = (name: string, count: number) => reshape(linearLayer(weights, name, x), [batch, length, count, width])
  const { queryKeyNorms } = decoderKind(config)
  const normed = (part: Tensor, name: string) => (queryKeyNorms ? norm(weights, name, part, config) : part)
  const rotated = (part: Tensor) => rotary(part, positions.ids, config.rope_theta)
  const q = rotated(normed(heads(names.q, config.num_attention_heads), names.qNorm))
  const k = rotated(normed(heads(names.k, config.num_key_value_heads), names.kNorm))
  const v = heads(names.v, config.num_key_value_heads)
  const scale = width ** -0.5
  const mixed =
    cache === undefined
      ? attention(q, k, v, { causal: true, scale, keyMask: positions.keyMask })
      : cache.attend(index, q, k, v, scale)
  return linearLayer(weights, names.o, reshape(mixed, [batch, length, queryWidth(config)]))
}

/** One decoder layer: h = x + attn(RMS1(x)); y = h + down(silu(gate(RMS2(h))) up(RMS2(h))). [B, T, H] -> [B, T, H]. */
export const decoderLayer = (
  weights: Weights,
  config: LanguageConfig,
  index: number,
  x: Tensor,
  positions: Positions,
  cache?: KeyValueCache
): Tensor =>
  scope(() => {
    const names = layerNames(index)
    const h = scope(() =>
      add(x, selfAttention(weights, config, index, norm(weights, names.inputNorm, x, config), positions, cache))
    )
    const activated = scope(() => {
      const normed = norm(weights, names.attentionNorm, h, config)
      return siluTimes(linearLayer(weights, names.gate, normed), linearLayer(weights, names.up, normed))
    })
    return add(h, linearLayer(weights, names.down, activated))
  })

/** All layers and the final norm: embeddings [B, T, H] -> hidden states [B, T, H]. `runLayer` may rematerialize. */
export const decoder = (
  weights: Weights,
  config: LanguageConfig,
  embeddings: Tensor,
  positions: Positions,
  cache?: KeyValueCache,
  runLayer: (index: number, x: Tensor) => Tensor = (index, x) =>
    decoderLayer(weights, config, index, x, positions, cache)
): Tensor => {
  let hidden = embeddings
  for (let index = 0; index < config.num_hidden_layers; index++) {
    const next = runLayer(index, hidden)
    if (hidden !== embeddings) hidden.release()
    hidden = next
  }
  return norm(weights, "language_model.model.norm", hidden, config)
}

/** Logits of chosen rows only: hidden [B, T, H] and row numbers i32 [R] of the flattened batch -> [R, V]. */
export const logitsOfRows = (weights: Weights, config: LanguageConfig, hidden: Tensor, rows: Tensor): Tensor =>
  scope(() => {
    const flat = reshape(hidden, [hidden.size / hidden.shape.at(-1)!, hidden.shape.at(-1)!])
    return headProduct(weights, headLayerOf(config), gatherRows(flat, rows))
  })
