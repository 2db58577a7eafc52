/** "hf": dequantized weights in the layout that transformers reads without remote code. */
import type { ModelDirectory } from "@speedq/vlm-model"
import type { ModelKind, Refusal } from "../exporter/Exporter.ts"
import type { Rest } from "../model/deployedModel.ts"
import { generationConfig, huggingfaceConfig, imageProcessor, processorConfig } from "./huggingfaceFiles.ts"
import { chatTemplate, huggingfaceTokenizer } from "./huggingfaceTokenizer.ts"
import type { Json, LayoutFiles } from "./LayoutFiles.ts"
import { layoutExporter } from "./layoutExporter.ts"

/** Why transformers cannot have the model; undefined where it can. */
export const huggingfaceRefusal = ({ config }: Pick<ModelKind, "config">): Refusal | undefined =>
  config.llm_config.model_type === "internlm2"
    ? {
        reason: "transformers has no InternLM2 decoder for InternVL",
        fix: "choose fake-quant, the layout that its own code reads"
      }
    : undefined

/** The files beside the weights, for numbers that are read as `dtype`. */
export const huggingfaceFiles = (model: ModelDirectory, dtype: Rest, tokenizerConfig: Json): LayoutFiles => ({
  "config.json": huggingfaceConfig(model, dtype),
  "generation_config.json": generationConfig(model),
  "processor_config.json": processorConfig(model),
  // Versions before 5 look for the image processor here.
  "preprocessor_config.json": imageProcessor(model),
  "tokenizer_config.json": huggingfaceTokenizer(tokenizerConfig),
  "chat_template.jinja": chatTemplate(model.config.system_message)
})

export const huggingfaceExporter = layoutExporter({
  id: "hf",
  version: 1,
  description: "dequantized weights in the layout of transformers; loads there without remote code",
  // scripts/checkTransformers.py
  checkedBy: ["speedq", "transformers 5.18"],
  layout: "huggingface",
  refusal: huggingfaceRefusal,
  files: huggingfaceFiles
})
