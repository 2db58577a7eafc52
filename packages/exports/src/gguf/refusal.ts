/** Models that llama.cpp would compute otherwise. */
import type { ModelKind, Refusal } from "../exporter/Exporter.ts"

/** Why it cannot have the model; undefined where it can. */
export const refusal = ({ config }: ModelKind): Refusal | undefined => {
  if (config.llm_config.model_type === "internlm2") {
    return {
      reason: "this format is written for decoders of Qwen2 and Qwen3 and their tokenizer, and this is an InternLM2",
      fix: "choose fake-quant, which its own code reads"
    }
  }
  if (config.ps_version === "v1") {
    return {
      reason: 'llama.cpp has the pixel shuffle of ps_version "v2" alone, and the model\'s is "v1"',
      fix: "choose hf or fake-quant"
    }
  }
  if (config.pad2square) {
    return {
      reason: "llama.cpp does not pad pictures to squares, which the model's pad2square asks for",
      fix: "choose hf or fake-quant"
    }
  }
  return undefined
}
