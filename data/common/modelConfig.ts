/** Configurations in the hub's layout for InternVL3's graph at small widths. */

export interface ModelShape {
  /** Side of a tile, in pixels. */
  readonly tileSize: number
  readonly vision: { readonly width: number; readonly blocks: number; readonly inner: number }
  readonly language: { readonly width: number; readonly layers: number; readonly inner: number }
  readonly stored: "float32" | "bfloat16"
}

/** config.json of a shape, for a vocabulary of `vocabularySize` tokens, the first added one of which is `endOfText`. */
export const modelConfigOf =
  ({ tileSize, vision, language, stored }: ModelShape) =>
  (vocabularySize: number, endOfText: number): object => ({
    architectures: ["InternVLChatModel"],
    model_type: "internvl_chat",
    vision_config: {
      architectures: ["InternVisionModel"],
      model_type: "intern_vit_6b",
      hidden_size: vision.width,
      image_size: tileSize,
      patch_size: 14,
      num_hidden_layers: vision.blocks,
      num_attention_heads: 4,
      intermediate_size: vision.inner,
      num_channels: 3,
      hidden_act: "gelu",
      norm_type: "layer_norm",
      layer_norm_eps: 1e-6,
      qkv_bias: true,
      qk_normalization: false,
      attention_dropout: 0,
      dropout: 0,
      drop_path_rate: 0,
      // The released models start layer scale at 0.1; so small a model then learns slowly or not at all.
      initializer_factor: 1,
      initializer_range: 0.02
    },
    llm_config: {
      architectures: ["Qwen2ForCausalLM"],
      model_type: "qwen2",
      hidden_size: language.width,
      num_hidden_layers: language.layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      intermediate_size: language.inner,
      vocab_size: vocabularySize,
      rope_theta: 1e6,
      rms_norm_eps: 1e-6,
      hidden_act: "silu",
      tie_word_embeddings: false,
      max_position_embeddings: 32768,
      attention_dropout: 0,
      use_sliding_window: false,
      initializer_range: 0.02,
      bos_token_id: endOfText,
      eos_token_id: endOfText
    },
    hidden_size: language.width,
    downsample_ratio: 0.5,
    dynamic_image_size: true,
    force_image_size: tileSize,
    max_dynamic_patch: 12,
    min_dynamic_patch: 1,
    use_thumbnail: true,
    pad2square: false,
    ps_version: "v2",
    select_layer: -1,
    template: "internvl2_5",
    system_message: null,
    use_backbone_lora: 0,
    use_llm_lora: 0,
    tie_word_embeddings: false,
    torch_dtype: stored
  })

/** preprocessor_config.json: with these statistics the light background is near zero, which halves the training time. */
export const preprocessorConfigOf = ({ tileSize }: ModelShape): object => ({
  feature_extractor_type: "CLIPFeatureExtractor",
  do_resize: true,
  size: tileSize,
  do_center_crop: true,
  crop_size: tileSize,
  resample: 3,
  do_normalize: true,
  image_mean: [0.85, 0.85, 0.85],
  image_std: [0.25, 0.25, 0.25]
})
