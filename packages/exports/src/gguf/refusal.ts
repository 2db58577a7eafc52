/** Models that llama.cpp would compute otherwise. */
import type { ModelDirectory } from "@speedq/vlm-model"

/** Why it cannot have the model; undefined where it can. */
export const refusal = ({ config, image, tokenizer }: ModelDirectory): string | undefined => {
  if (config.llm_config.model_type === "internlm2" || tokenizer.parts() === undefined) {
    return "this format is written for decoders of Qwen2 and Qwen3 and their tokenizer, and this is an InternLM2; --format fake-quant writes the layout that its own code reads"
  }
  if (config.ps_version === "v1")
    return 'llama.cpp has the pixel shuffle of ps_version "v2" alone, and the model\'s is "v1"; --format hf or fake-quant keep it'
  if (image.padToSquare)
    return "llama.cpp does not pad pictures to squares, which the model's pad2square asks for; --format hf or fake-quant keep it"
  return undefined
}
