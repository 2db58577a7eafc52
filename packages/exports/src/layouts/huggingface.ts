/** "hf": dequantized weights in the layout that transformers reads without remote code. */
import { generationConfig, huggingfaceConfig, imageProcessor, processorConfig } from "./huggingfaceFiles.ts"
import { chatTemplate, huggingfaceTokenizer } from "./huggingfaceTokenizer.ts"
import { layoutExporter } from "./layoutExporter.ts"

export const huggingfaceExporter = layoutExporter({
  id: "hf",
  version: 1,
  description: "dequantized weights in the layout of transformers; loads there without remote code",
  // scripts/checkTransformers.py
  checkedBy: ["speedq", "transformers 5.18"],
  layout: "huggingface",
  refusal: ({ config }) =>
    config.llm_config.model_type === "internlm2"
      ? "transformers has no InternLM2 decoder for InternVL; --format fake-quant writes the layout that its own code reads"
      : undefined,
  files: (model, dtype, tokenizerConfig) => ({
    "config.json": huggingfaceConfig(model, dtype),
    "generation_config.json": generationConfig(model),
    "processor_config.json": processorConfig(model),
    // Versions before 5 look for the image processor here.
    "preprocessor_config.json": imageProcessor(model),
    "tokenizer_config.json": huggingfaceTokenizer(tokenizerConfig),
    "chat_template.jinja": chatTemplate(model.config.system_message)
  })
})
