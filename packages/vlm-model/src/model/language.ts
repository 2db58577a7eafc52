/**
 * The decoders of Qwen2, Qwen3 and InternLM2: embeddings to final hidden states, and logits for the rows that are asked for (docs/method.md,
 * "Decoder").
 */
import { parameterOf } from "@speedq/formats"
import {
  add,
  attention,
  gatherRows,
  recomputed,
  reshape,
  rmsNorm,
  rotary,
  scope,
  siluTimes,
  splitColumns,
  type Tensor,
  together
} from "@speedq/tensors"
import { allAtOnce, type InSteps } from "../internal/inSteps.ts"
import type { DecoderNames } from "./decoderFamilies.ts"
import type { KeyValueCache } from "./KeyValueCache.ts"
import { decoderFamily, headWidth, type LanguageConfig, queryWidth } from "./ModelConfig.ts"
import { headProduct, linearLayer, type Weights, weightRows } from "./Weights.ts"

/** What the decoder needs to know about a batch besides its embeddings. */
export interface Positions {
  /** i32 [B, T]: position of each token in its sequence. */
  readonly ids: Tensor
  /** i32 [B, T]: 1 where a token may be attended; absent when all may. */
  readonly keyMask?: Tensor | undefined
}

/** The layer of the token embedding [V, H]. */
export const embeddingLayerOf = (config: LanguageConfig): string => decoderFamily(config).names.embedding

/** Layers of the embedding and, where it is not tied to that, of the head [V, H]. */
export const embeddingAndHead = (config: LanguageConfig): readonly [embedding: string, ...head: string[]] => {
  const { embedding, head } = decoderFamily(config).names
  return config.tie_word_embeddings ? [embedding] : [embedding, head]
}

/** The layer whose matrix makes logits: the embedding where the model ties the two, a head of its own elsewhere. */
export const headLayerOf = (config: LanguageConfig): string => embeddingAndHead(config).at(-1)!

/** Name of decoder layer `index` in the checkpoint. */
export const decoderLayerName = (index: number): string => `language_model.model.layers.${index}`

/** Name of the norm after the last layer. */
export const decoderNorm = "language_model.model.norm"

type LayerNames = DecoderNames["layer"]

const composeNames = ({ qkv, ...parts }: LayerNames, layer: string): LayerNames => {
  const within = <Names extends object>(names: Names): Names =>
    Object.fromEntries(Object.entries(names).map(([part, name]) => [part, `${layer}.${name}`])) as Names
  return { ...within(parts), qkv: within(qkv) }
}

const composed = new Map<DecoderNames, LayerNames[]>()

/** Names of the parts of decoder layer `index`: composed once, as a token asks for all of them. */
export const layerNames = (config: LanguageConfig, index: number): LayerNames => {
  const { names } = decoderFamily(config)
  let layers = composed.get(names)
  if (layers === undefined) composed.set(names, (layers = []))
  return (layers[index] ??= composeNames(names.layer, decoderLayerName(index)))
}

const norm = (weights: Weights, name: string, x: Tensor, config: LanguageConfig): Tensor =>
  recomputed(({ x, weight }) => rmsNorm(x, weight, config.rms_norm_eps), { x, weight: weights.get(parameterOf(name)) })

/** Rows of the embedding table: ids i32 [B, T] -> [B, T, H]. */
export const embedTokens = (weights: Weights, config: LanguageConfig, ids: Tensor): Tensor =>
  weightRows(weights, embeddingLayerOf(config), ids)

/**
 * Queries [B, T, heads, D], keys and values [B, T, key heads, D] of x [B, T, H]. A fused Linear has its rows by key head: the queries
 * that read the head, its key, its value.
 */
const queriesKeysValues = (
  weights: Weights,
  config: LanguageConfig,
  { qkv }: LayerNames,
  x: Tensor
): readonly [Tensor, Tensor, Tensor] => {
  const [batch, length] = x.shape as readonly [number, number, number]
  const { num_attention_heads: heads, num_key_value_heads: keyHeads } = config
  const width = headWidth(config)
  const inHeads = (part: Tensor, count: number) => reshape(part, [batch, length, count, width])
  if (!("fused" in qkv)) {
    const projected = (name: string, count: number) => inHeads(linearLayer(weights, name, x), count)
    return together(x.backend, () => [projected(qkv.q, heads), projected(qkv.k, keyHeads), projected(qkv.v, keyHeads)])
  }
  const group = (heads / keyHeads) * width
  const rows = reshape(linearLayer(weights, qkv.fused, x), [batch, length, keyHeads, group + 2 * width])
  const [q, k, v] = splitColumns(rows, [group, width, width])
  return [inHeads(q, heads), k, v]
}

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
  const names = layerNames(config, index)
  const [batch, length] = x.shape as readonly [number, number, number]
  const normed = (part: Tensor, name: string | undefined) =>
    name === undefined ? part : norm(weights, name, part, config)
  const rotated = (part: Tensor) => rotary(part, positions.ids, config.rope_theta)
  const [queries, keys, v] = queriesKeysValues(weights, config, names, x)
  const q = rotated(normed(queries, names.qNorm))
  const k = rotated(normed(keys, names.kNorm))
  const scale = headWidth(config) ** -0.5
  const mixed =
    cache === undefined
      ? attention(q, k, v, { causal: true, scale, keyMask: positions.keyMask })
      : cache.attend(index, q, k, v, scale)
  return linearLayer(weights, names.output, reshape(mixed, [batch, length, queryWidth(config)]))
}

/** What attention adds to the residual stream: o_proj(attn(RMS1(x))). [B, T, H] -> [B, T, H]. */
export const attentionBranch = (
  weights: Weights,
  config: LanguageConfig,
  index: number,
  x: Tensor,
  positions: Positions,
  cache?: KeyValueCache
): Tensor =>
  scope(() => {
    const normed = norm(weights, layerNames(config, index).inputNorm, x, config)
    return selfAttention(weights, config, index, normed, positions, cache)
  })

/** What the MLP adds: down(silu(gate(RMS2(h))) up(RMS2(h))). [B, T, H] -> [B, T, H]. */
export const mlpBranch = (weights: Weights, config: LanguageConfig, index: number, h: Tensor): Tensor =>
  scope(() => {
    const names = layerNames(config, index)
    const activated = scope(() => {
      const normed = norm(weights, names.mlpNorm, h, config)
      const product = (name: string) => linearLayer(weights, name, normed)
      const [gate, up] = together(h.backend, () => [product(names.gate), product(names.up)] as const)
      return recomputed(({ gate, up }) => siluTimes(gate, up), { gate, up })
    })
    return linearLayer(weights, names.down, activated)
  })

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
    const h = scope(() => add(x, attentionBranch(weights, config, index, x, positions, cache)))
    return add(h, mlpBranch(weights, config, index, h))
  })

/** All layers and the final norm, a layer a step: embeddings [B, T, H] -> hidden states [B, T, H]. `runLayer` may rematerialize. */
export function* decoderInSteps(
  weights: Weights,
  config: LanguageConfig,
  embeddings: Tensor,
  positions: Positions,
  cache?: KeyValueCache,
  runLayer: (index: number, x: Tensor) => Tensor = (index, x) =>
    decoderLayer(weights, config, index, x, positions, cache)
): InSteps<Tensor> {
  let hidden = embeddings
  try {
    for (let index = 0; index < config.num_hidden_layers; index++) {
      const next = runLayer(index, hidden)
      if (hidden !== embeddings) hidden.release()
      hidden = next
      yield
    }
    const last = hidden
    return scope(() => norm(weights, decoderNorm, last, config))
  } finally {
    if (hidden !== embeddings) hidden.release()
  }
}

/** The same at once. */
export const decoder = (...operands: Parameters<typeof decoderInSteps>): Tensor =>
  allAtOnce(decoderInSteps(...operands))

/** Logits of chosen rows only: hidden [B, T, H] and row numbers i32 [R] of the flattened batch -> [R, V]. */
export const logitsOfRows = (weights: Weights, config: LanguageConfig, hidden: Tensor, rows: Tensor): Tensor =>
  scope(() => {
    const flat = reshape(hidden, [hidden.size / hidden.shape.at(-1)!, hidden.shape.at(-1)!])
    return headProduct(weights, headLayerOf(config), gatherRows(flat, rows))
  })
