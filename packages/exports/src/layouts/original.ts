/** "original": dequantized weights in the layout of the hub's original models, which the reference's code reads. */
import { layoutExporter } from "./layoutExporter.ts"
import { originalConfig, originalImageProcessor } from "./originalFiles.ts"

export const originalExporter = layoutExporter({
  id: "original",
  version: 1,
  description: "dequantized weights in the hub's original layout, from a model in either",
  checkedBy: ["speedq"],
  layout: "original",
  files: (model, dtype, tokenizerConfig) => ({
    "config.json": originalConfig(model, dtype),
    "preprocessor_config.json": originalImageProcessor(model),
    "tokenizer_config.json": tokenizerConfig
  })
})
