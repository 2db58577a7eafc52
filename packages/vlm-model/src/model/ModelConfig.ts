/** config.json of an InternVL3 directory, in the hub's original layout or the transformers-native ("-hf") one. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const positiveInteger = Schema.Int.check(Schema.isGreaterThan(0))
const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

/** InternViT: 448 px, patch 14, width 1024, 24 blocks in the released models. */
export const VisionConfig = Schema.Struct({
  hidden_size: positiveInteger,
  image_size: positiveInteger,
  patch_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  intermediate_size: positiveInteger,
  num_channels: withDefault(positiveInteger, 3),
  layer_norm_eps: withDefault(Schema.Finite, 1e-6),
  hidden_act: withDefault(Schema.Literal("gelu"), "gelu"),
  norm_type: withDefault(Schema.Literal("layer_norm"), "layer_norm"),
  qkv_bias: withDefault(Schema.Literal(true), true),
  qk_normalization: withDefault(Schema.Literal(false), false),
  drop_path_rate: withDefault(Schema.Finite, 0)
})
export type VisionConfig = typeof VisionConfig.Type

/** Qwen2 decoder. `rope_scaling: dynamic` has no effect up to `max_position_embeddings` and is ignored. */
export const LanguageConfig = Schema.Struct({
  hidden_size: positiveInteger,
  num_hidden_layers: positiveInteger,
  num_attention_heads: positiveInteger,
  num_key_value_heads: positiveInteger,
  intermediate_size: positiveInteger,
  vocab_size: positiveInteger,
  rope_theta: withDefault(Schema.Finite, 1e6),
  rms_norm_eps: withDefault(Schema.Finite, 1e-6),
  max_position_embeddings: withDefault(positiveInteger, 32768),
  hidden_act: withDefault(Schema.Literal("silu"), "silu")
})
export type LanguageConfig = typeof LanguageConfig.Type

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
  min_dynamic_patch: withDefault(positiveInteger, 1),
  max_dynamic_patch: withDefault(positiveInteger, 12),
  use_thumbnail: withDefault(Schema.Boolean, true),
  force_image_size: Schema.optionalKey(Schema.NullOr(positiveInteger))
})
export type ModelConfig = typeof ModelConfig.Type

/** Side of one tile in pixels. */
export const tileSize = (config: ModelConfig): number => config.force_image_size ?? config.vision_config.image_size

/** Patches along one side of a tile: 32 in the released models. */
export const patchGrid = (config: ModelConfig): number => tileSize(config) / config.vision_config.patch_size

/** Visual tokens a tile becomes after the pixel shuffle: 256 in the released models. */
export const tokensPerTile = (config: ModelConfig): number => (patchGrid(config) * config.downsample_ratio) ** 2

/** Width of one attention head of the language model. */
export const headWidth = (config: LanguageConfig): number => config.hidden_size / config.num_attention_heads
