/** config.json of an InternVL3 directory, in the hub's original layout or the transformers-native ("-hf") one. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type DecoderFamily, type DecoderKind, decoderFamilies } from "./decoderFamilies.ts"

/**
 * A config may come from anywhere, and its numbers decide how much memory and time is taken. The bounds lie far above the largest
 * released model (InternVL3-78B: width 8192, 29568 inside, 80 blocks, 64 heads, 151674 tokens, tiles of 448 px).
 */
const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))
const width = upTo(2 ** 16)
const innerWidth = upTo(2 ** 20)
const blocks = upTo(1024)
const heads = upTo(1024)
const pixels = upTo(4096)
const tiles = upTo(1024)
const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** Passes when no rule is broken; a rule is a condition and what to say when it does not hold. */
const rules = <T>(broken: (config: T) => readonly (readonly [holds: boolean, message: string])[]) =>
  Schema.makeFilter((config: T) => broken(config).flatMap(([holds, message]) => (holds ? [] : [message])))

const divides = (divisor: number, what: string, number: number, whole: string): readonly [boolean, string] => [
  number % divisor === 0,
  `${what} ${divisor} does not divide ${whole} ${number}`
]

/** InternViT: 448 px, patch 14, width 1024, 24 blocks in the released models. */
export const VisionConfig = Schema.Struct({
  hidden_size: width,
  image_size: pixels,
  patch_size: pixels,
  num_hidden_layers: blocks,
  num_attention_heads: heads,
  intermediate_size: innerWidth,
  num_channels: withDefault(upTo(64), 3),
  layer_norm_eps: withDefault(Schema.Finite, 1e-6),
  hidden_act: withDefault(Schema.Literal("gelu"), "gelu"),
  norm_type: withDefault(Schema.Literal("layer_norm"), "layer_norm"),
  qkv_bias: withDefault(Schema.Literal(true), true),
  qk_normalization: withDefault(Schema.Literal(false), false),
  drop_path_rate: withDefault(Schema.Finite, 0)
}).check(
  rules(({ hidden_size, num_attention_heads, image_size, patch_size }) => [
    divides(num_attention_heads, "num_attention_heads", hidden_size, "hidden_size"),
    divides(patch_size, "patch_size", image_size, "image_size")
  ])
)
export type VisionConfig = typeof VisionConfig.Type

/** Dynamic scaling changes nothing up to `max_position_embeddings`; other kinds would be another network. */
const ropeKind = Schema.optionalKey(Schema.Literals(["default", "dynamic"]))

/** Kinds of decoders, by `model_type`. */
const decoderKinds = Object.keys(decoderFamilies) as DecoderKind[]

/** The decoder. What a config leaves out has the default of the code that it was published with. */
export const LanguageConfig = Schema.Struct({
  model_type: withDefault(Schema.Literals(decoderKinds), "qwen2"),
  hidden_size: width,
  num_hidden_layers: blocks,
  num_attention_heads: heads,
  num_key_value_heads: heads,
  /** Width of a head; read it by `headWidth`. */
  head_dim: Schema.optionalKey(Schema.NullOr(width)),
  intermediate_size: innerWidth,
  vocab_size: upTo(2 ** 24),
  attention_bias: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  /** What InternLM2 calls the biases of its Linears: it has them unless it says that it has not. */
  bias: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
  /** Whether the embedding is the head too: then the model has no matrix of its own for it. */
  tie_word_embeddings: withDefault(Schema.Boolean, false),
  rope_theta: withDefault(Schema.Finite, 1e4),
  rms_norm_eps: withDefault(Schema.Finite, 1e-6),
  max_position_embeddings: withDefault(upTo(2 ** 31), 32768),
  hidden_act: withDefault(Schema.Literal("silu"), "silu"),
  rope_scaling: Schema.optionalKey(Schema.NullOr(Schema.Struct({ type: ropeKind, rope_type: ropeKind }))),
  use_sliding_window: withDefault(Schema.Literal(false), false),
  layer_types: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Literal("full_attention"))))
}).check(
  rules(({ model_type, hidden_size, num_attention_heads, num_key_value_heads, head_dim, attention_bias, bias }) => {
    const { attentionBias, headWidth }: DecoderFamily = decoderFamilies[model_type]
    return [
      divides(num_key_value_heads, "num_key_value_heads", num_attention_heads, "num_attention_heads"),
      // Rotary embedding pairs the two halves of a head.
      head_dim === undefined || head_dim === null
        ? headWidth !== undefined
          ? [true, ""]
          : divides(2 * num_attention_heads, "twice num_attention_heads", hidden_size, "hidden_size")
        : divides(2, "the number of halves", head_dim, "head_dim"),
      [
        (attention_bias ?? attentionBias) === attentionBias,
        `attention_bias ${attention_bias}, but the attention of ${model_type} has ${attentionBias ? "" : "no "}biases`
      ],
      [
        model_type !== "internlm2" || bias === false,
        `bias ${bias ?? "absent, which means true"}, but only an internlm2 with bias false is computed`
      ]
    ]
  })
)
export type LanguageConfig = typeof LanguageConfig.Type

/** What tells the decoder of a config from others. */
export const decoderFamily = ({ model_type }: LanguageConfig): DecoderFamily => decoderFamilies[model_type]

/** The whole model. Keys that are not listed are ignored, missing ones are named by the decoder. */
export const ModelConfig = Schema.Struct({
  vision_config: VisionConfig,
  llm_config: LanguageConfig,
  downsample_ratio: withDefault(Schema.Literal(0.5), 0.5),
  ps_version: withDefault(Schema.Literals(["v1", "v2"]), "v2"),
  select_layer: withDefault(Schema.Int.check(Schema.isLessThan(0)), -1),
  template: withDefault(Schema.Literal("internvl2_5"), "internvl2_5"),
  /** null or absent: the template's own message. */
  system_message: withDefault(Schema.NullOr(Schema.String), null),
  dynamic_image_size: withDefault(Schema.Boolean, true),
  min_dynamic_patch: withDefault(tiles, 1),
  max_dynamic_patch: withDefault(tiles, 12),
  use_thumbnail: withDefault(Schema.Boolean, true),
  pad2square: withDefault(Schema.Boolean, false),
  force_image_size: Schema.optionalKey(Schema.NullOr(pixels))
}).check(
  rules(({ vision_config: { patch_size, image_size, num_hidden_layers: layers }, ...config }) => [
    // The pixel shuffle folds 2 x 2 patches into one.
    divides(2 * patch_size, "twice patch_size", config.force_image_size ?? image_size, "the tile size"),
    [config.select_layer >= -layers - 1, `select_layer ${config.select_layer} of ${layers} blocks and their input`],
    [
      config.min_dynamic_patch <= config.max_dynamic_patch,
      `min_dynamic_patch ${config.min_dynamic_patch} above max_dynamic_patch ${config.max_dynamic_patch}`
    ]
  ])
)
export type ModelConfig = typeof ModelConfig.Type

/** Side of one tile in pixels. */
export const tileSize = (config: ModelConfig): number => config.force_image_size ?? config.vision_config.image_size

/** Patches along one side of a tile: 32 in the released models. */
export const patchGrid = (config: ModelConfig): number => tileSize(config) / config.vision_config.patch_size

/** Visual tokens a tile becomes after the pixel shuffle: 256 in the released models. */
export const tokensPerTile = (config: ModelConfig): number => (patchGrid(config) * config.downsample_ratio) ** 2

/** Width of one attention head of the language model. */
export const headWidth = (config: LanguageConfig): number =>
  config.head_dim ?? decoderFamily(config).headWidth ?? config.hidden_size / config.num_attention_heads

/** Width of all query heads together: that of the model in Qwen2, another one in the smaller Qwen3. */
export const queryWidth = (config: LanguageConfig): number => config.num_attention_heads * headWidth(config)

/** Width of all key heads together, and of all value heads. */
export const keyValueWidth = (config: LanguageConfig): number => config.num_key_value_heads * headWidth(config)
