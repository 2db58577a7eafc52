/** What model.gguf says of the language model. */
import { headWidth, type ModelConfig } from "@speedq/vlm-model"
import { f32, type Metadata, string, u32 } from "./metadata.ts"

/** Keys of the decoder, below the name of its family. */
export const textMetadata = ({ llm_config: config }: ModelConfig): Metadata => {
  const keys: Metadata = {
    context_length: u32(config.max_position_embeddings),
    embedding_length: u32(config.hidden_size),
    block_count: u32(config.num_hidden_layers),
    feed_forward_length: u32(config.intermediate_size),
    "attention.head_count": u32(config.num_attention_heads),
    "attention.head_count_kv": u32(config.num_key_value_heads),
    "attention.key_length": u32(headWidth(config)),
    "attention.value_length": u32(headWidth(config)),
    "attention.layer_norm_rms_epsilon": f32(config.rms_norm_eps),
    "rope.freq_base": f32(config.rope_theta)
  }
  return {
    "general.architecture": string(config.model_type),
    "general.type": string("model"),
    ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${config.model_type}.${key}`, value]))
  }
}
