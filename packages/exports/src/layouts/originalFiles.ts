/** The files beside the weights in the layout that the hub's original models have, without their remote code. */
import {
  decoderFamily,
  type LanguageConfig,
  type ModelConfig,
  type ModelDirectory,
  type VisionConfig
} from "@speedq/vlm-model"
import type { Rest } from "../model/deployedModel.ts"
import type { Json } from "./LayoutFiles.ts"
import { typeNames } from "./typeNames.ts"

const visionConfig = (vision: VisionConfig): Json => ({
  architectures: ["InternVisionModel"],
  model_type: "intern_vit_6b",
  ...vision
})

const languageConfig = (language: LanguageConfig, { tokens }: ModelDirectory): Json => ({
  architectures: decoderFamily(language).calledBy.filter((name) => name.endsWith("ForCausalLM")),
  ...language,
  bos_token_id: tokens.endOfText,
  eos_token_id: tokens.messageEnd
})

/** config.json, for weights that are read as `dtype`. */
export const originalConfig = (model: ModelDirectory, dtype: Rest): Json => {
  const { llm_config, vision_config, ...rest }: ModelConfig = model.config
  return {
    architectures: ["InternVLChatModel"],
    model_type: "internvl_chat",
    ...rest,
    force_image_size: model.image.tileSize,
    llm_config: languageConfig(llm_config, model),
    tie_word_embeddings: llm_config.tie_word_embeddings,
    torch_dtype: typeNames[dtype],
    vision_config: visionConfig(vision_config)
  }
}

/** preprocessor_config.json. */
export const originalImageProcessor = ({ image }: ModelDirectory): Json => ({
  feature_extractor_type: "CLIPFeatureExtractor",
  crop_size: image.tileSize,
  do_center_crop: true,
  do_normalize: true,
  do_resize: true,
  image_mean: image.statistics.mean,
  image_std: image.statistics.std,
  resample: 3,
  size: image.tileSize
})
