/**
 * The decoders that the network computes, one entry each: what they are called, what tells them from each other, and the names that
 * their checkpoints give to the parts. Everything else asks here, so a further decoder of this form is one more entry.
 */

/** Names of the parts of a decoder. Those of a layer follow `language_model.model.layers.I.`. */
export interface DecoderNames {
  /** Layer of the token embedding [V, H]. */
  readonly embedding: string
  /** Layer of the head [V, H]. */
  readonly head: string
  readonly layer: {
    readonly inputNorm: string
    /** Queries, keys and values by a Linear each, or by one whose rows go by key head: the queries that read it, key, value. */
    readonly qkv: { readonly q: string; readonly k: string; readonly v: string } | { readonly fused: string }
    /** Norms of queries and keys, where the decoder has them. */
    readonly qNorm?: string
    readonly kNorm?: string
    readonly output: string
    readonly mlpNorm: string
    readonly gate: string
    readonly up: string
    readonly down: string
  }
}

export interface DecoderFamily {
  /** What `model_type` and `architectures` of a config call it. */
  readonly calledBy: readonly string[]
  readonly names: DecoderNames
  /** Whether queries, keys and values have biases. No other Linear has one. */
  readonly attentionBias: boolean
  /** Width of a head where the config states none; undefined for that of the model divided by the heads. */
  readonly headWidth?: number
  /** Tokens of the context where the config states none. */
  readonly contextLength: number
}

const qwenNames = {
  embedding: "language_model.model.embed_tokens",
  head: "language_model.lm_head",
  layer: {
    inputNorm: "input_layernorm",
    qkv: { q: "self_attn.q_proj", k: "self_attn.k_proj", v: "self_attn.v_proj" },
    output: "self_attn.o_proj",
    mlpNorm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj"
  }
} as const satisfies DecoderNames

/** By the kind that a decoded config states as its `model_type`. */
export const decoderFamilies = {
  qwen2: {
    calledBy: ["qwen2", "Qwen2ForCausalLM", "Qwen2Model"],
    names: qwenNames,
    attentionBias: true,
    contextLength: 32768
  },
  /** Every head of queries and keys has an RMS norm before its rotation. */
  qwen3: {
    calledBy: ["qwen3", "Qwen3ForCausalLM", "Qwen3Model"],
    names: { ...qwenNames, layer: { ...qwenNames.layer, qNorm: "self_attn.q_norm", kNorm: "self_attn.k_norm" } },
    attentionBias: false,
    headWidth: 128,
    contextLength: 32768
  },
  internlm2: {
    calledBy: ["internlm2", "InternLM2ForCausalLM", "InternLM2Model"],
    names: {
      embedding: "language_model.model.tok_embeddings",
      head: "language_model.output",
      layer: {
        inputNorm: "attention_norm",
        qkv: { fused: "attention.wqkv" },
        output: "attention.wo",
        mlpNorm: "ffn_norm",
        gate: "feed_forward.w1",
        up: "feed_forward.w3",
        down: "feed_forward.w2"
      }
    },
    attentionBias: false,
    contextLength: 2048
  }
} as const satisfies { readonly [kind: string]: DecoderFamily }

export type DecoderKind = keyof typeof decoderFamilies

const families: readonly DecoderFamily[] = Object.values(decoderFamilies)

/** Whether a layer is the token embedding of some decoder. */
export const isEmbeddingLayer = (layer: string): boolean => families.some(({ names }) => names.embedding === layer)

/** The heads of all decoders. */
export const headLayers: readonly string[] = [...new Set(families.map(({ names }) => names.head))]
