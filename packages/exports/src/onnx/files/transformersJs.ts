/**
 * The files beside the graphs, by which transformers.js takes the directory for a LLaVA model: its class has the three graphs of ours, and
 * its processor puts visual tokens of one tile in the place of one token.
 */
import { headWidth, type LanguageConfig, type ModelDirectory, SpecialTokens, tileSize } from "@speedq/vlm-model"
import { generationConfig, tilePreparation } from "../../layouts/huggingfaceFiles.ts"
import { chatTemplate } from "../../layouts/huggingfaceTokenizer.ts"
import type { Json, LayoutFiles } from "../../layouts/LayoutFiles.ts"

/** Files of weights that transformers.js reads beside a graph, at most. */
export const mostDataFiles = 100

/** What transformers.js calls the numbers of graphs, and how it ends their names. */
export const dtypes = { q2: "_q2", q4: "_q4", q8: "_quantized", fp32: "" } as const
export type DType = keyof typeof dtypes

const textConfig = (language: LanguageConfig): Json => ({
  model_type: language.model_type,
  head_dim: headWidth(language),
  hidden_size: language.hidden_size,
  intermediate_size: language.intermediate_size,
  max_position_embeddings: language.max_position_embeddings,
  num_attention_heads: language.num_attention_heads,
  num_hidden_layers: language.num_hidden_layers,
  num_key_value_heads: language.num_key_value_heads,
  rms_norm_eps: language.rms_norm_eps,
  rope_theta: language.rope_theta,
  tie_word_embeddings: language.tie_word_embeddings,
  vocab_size: language.vocab_size
})

/** How many files of weights each graph has beside it, by the graph's file; graphs that have none are left out. */
type DataFiles = Readonly<Record<string, number>>

const configJson = ({ config, tokens }: ModelDirectory, dtype: DType, dataFiles: DataFiles): Json => {
  const { hidden_size, patch_size } = config.vision_config
  return {
    architectures: ["LlavaForConditionalGeneration"],
    model_type: "llava",
    eos_token_id: tokens.messageEnd,
    image_token_index: tokens.imageContext,
    text_config: textConfig(config.llm_config),
    tie_word_embeddings: config.llm_config.tie_word_embeddings,
    "transformers.js_config": {
      dtype,
      ...(Object.keys(dataFiles).length > 0 && { use_external_data_format: dataFiles })
    },
    vision_config: { model_type: "intern_vit", hidden_size, image_size: tileSize(config), patch_size }
  }
}

/** One tile a picture, as the thumbnail of the original code is made. */
const imageProcessor = (model: ModelDirectory): Json => ({
  image_processor_type: "CLIPImageProcessor",
  processor_class: "LlavaProcessor",
  do_center_crop: false,
  ...tilePreparation(model)
})

/** The pixel shuffle joins 2 x 2 patches into one visual token. */
const processor = ({ config }: ModelDirectory): Json => ({
  processor_class: "LlavaProcessor",
  image_token: SpecialTokens.imageContext,
  num_additional_image_tokens: 0,
  patch_size: 2 * config.vision_config.patch_size
})

const { imageContext, imageEnd, imageStart } = SpecialTokens

const tokenizerJson = ({ config }: ModelDirectory, { auto_map: _code, ...own }: Json): Json => ({
  tokenizer_class: "Qwen2Tokenizer",
  ...own,
  chat_template: chatTemplate(config.system_message, imageStart + imageContext + imageEnd)
})

/** All of them, for graphs of these numbers. */
export const transformersJsFiles = (
  model: ModelDirectory,
  { dtype, dataFiles }: { readonly dtype: DType; readonly dataFiles: DataFiles },
  tokenizerConfig: Json
): LayoutFiles => ({
  "config.json": configJson(model, dtype, dataFiles),
  "generation_config.json": {
    ...generationConfig(model),
    eos_token_id: [model.tokens.messageEnd, model.tokens.endOfText]
  },
  "preprocessor_config.json": imageProcessor(model),
  "processor_config.json": processor(model),
  "tokenizer_config.json": tokenizerJson(model, tokenizerConfig)
})
