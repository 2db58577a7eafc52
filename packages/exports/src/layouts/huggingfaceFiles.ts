/**
 * The files beside the weights as transformers 5 writes them for InternVL: config.json, generation_config.json, the processor's file
 * and, for older versions, the image processor's own.
 */
import {
  headWidth,
  type LanguageConfig,
  type ModelConfig,
  type ModelDirectory,
  tileSize,
  tokensPerTile,
  type VisionConfig
} from "@speedq/vlm-model"
import type { Rest } from "../model/deployedModel.ts"
import type { Json } from "./LayoutFiles.ts"
import { typeNames } from "./typeNames.ts"

const square = (side: number) => [side, side]

/**
 * `attention_bias` is false by default there: without it the biases of queries, keys and values are left out, and nothing says so. The
 * position embedding is written as it was loaded, for the size of a tile.
 */
const visionConfig = (config: ModelConfig, vision: VisionConfig): Json => ({
  model_type: "internvl_vision",
  attention_bias: vision.qkv_bias,
  attention_dropout: 0,
  hidden_act: vision.hidden_act,
  hidden_dropout_prob: 0,
  hidden_size: vision.hidden_size,
  image_size: square(tileSize(config)),
  initializer_range: 0.02,
  intermediate_size: vision.intermediate_size,
  layer_norm_eps: vision.layer_norm_eps,
  layer_scale_init_value: 0.1,
  norm_type: vision.norm_type,
  num_attention_heads: vision.num_attention_heads,
  num_channels: vision.num_channels,
  num_hidden_layers: vision.num_hidden_layers,
  patch_size: square(vision.patch_size),
  projection_dropout: 0,
  use_absolute_position_embeddings: true,
  use_mask_token: false,
  // No norm after the last block, whatever the name says.
  use_mean_pooling: true,
  use_qk_norm: vision.qk_normalization
})

const textConfig = (language: LanguageConfig, { tokens }: ModelDirectory): Json => ({
  model_type: language.model_type,
  attention_dropout: 0,
  bos_token_id: tokens.endOfText,
  eos_token_id: tokens.messageEnd,
  // Only where it is not the width divided by the heads, which is what an absent one means.
  ...(headWidth(language) * language.num_attention_heads === language.hidden_size
    ? {}
    : { head_dim: headWidth(language) }),
  hidden_act: language.hidden_act,
  hidden_size: language.hidden_size,
  initializer_range: 0.02,
  intermediate_size: language.intermediate_size,
  layer_types: Array.from({ length: language.num_hidden_layers }, () => "full_attention"),
  max_position_embeddings: language.max_position_embeddings,
  max_window_layers: language.num_hidden_layers,
  num_attention_heads: language.num_attention_heads,
  num_hidden_layers: language.num_hidden_layers,
  num_key_value_heads: language.num_key_value_heads,
  pad_token_id: tokens.endOfText,
  rms_norm_eps: language.rms_norm_eps,
  // Dynamic scaling changes nothing within max_position_embeddings.
  rope_parameters: { rope_theta: language.rope_theta, rope_type: "default" },
  sliding_window: null,
  tie_word_embeddings: language.tie_word_embeddings,
  use_cache: true,
  use_sliding_window: false,
  vocab_size: language.vocab_size
})

/** config.json, for weights that are read as `dtype`. */
export const huggingfaceConfig = (model: ModelDirectory, dtype: Rest): Json => {
  const { config, tokens } = model
  return {
    architectures: ["InternVLForConditionalGeneration"],
    model_type: "internvl",
    downsample_ratio: config.downsample_ratio,
    dtype: typeNames[dtype],
    image_seq_length: tokensPerTile(config),
    image_token_id: tokens.imageContext,
    projector_hidden_act: "gelu",
    text_config: textConfig(config.llm_config, model),
    tie_word_embeddings: config.llm_config.tie_word_embeddings,
    vision_config: visionConfig(config, config.vision_config),
    vision_feature_layer: config.select_layer,
    vision_feature_select_strategy: "default"
  }
}

/** generation_config.json: an answer ends with its message. */
export const generationConfig = ({ tokens }: ModelDirectory): Json => ({
  bos_token_id: tokens.endOfText,
  eos_token_id: tokens.messageEnd,
  pad_token_id: tokens.endOfText
})

/** How a picture of one tile is prepared: resized as Pillow's bicubic filter does, scaled to 0..1, normalized. */
export const tilePreparation = ({ image }: ModelDirectory): Json => ({
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: image.statistics.mean,
  image_std: image.statistics.std,
  resample: 3,
  rescale_factor: 1 / 255,
  size: { height: image.tileSize, width: image.tileSize }
})

/** preprocessor_config.json: tiles as `dynamic_preprocess` of the original code cuts them, thumbnail last. */
export const imageProcessor = (model: ModelDirectory): Json => ({
  image_processor_type: "GotOcr2ImageProcessor",
  processor_class: "InternVLProcessor",
  crop_to_patches: model.image.dynamic,
  max_patches: model.image.maxTiles,
  min_patches: model.image.minTiles,
  ...tilePreparation(model)
})

/** Frames of a video are one tile each. */
const videoProcessor = (model: ModelDirectory): Json => ({
  video_processor_type: "InternVLVideoProcessor",
  do_sample_frames: false,
  initial_shift: true,
  ...tilePreparation(model)
})

/** processor_config.json. */
export const processorConfig = (model: ModelDirectory): Json => ({
  processor_class: "InternVLProcessor",
  image_processor: imageProcessor(model),
  image_seq_length: tokensPerTile(model.config),
  video_processor: videoProcessor(model)
})
