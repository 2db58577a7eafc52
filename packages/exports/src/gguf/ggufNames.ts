/** What the parameters of a model are called in its two files. */
import { visionBlockName } from "@speedq/vlm-model"

type Substitutions = readonly (readonly [from: string, to: string])[]

const language: Substitutions = [
  ["language_model.model.embed_tokens.", "token_embd."],
  ["language_model.lm_head.", "output."],
  ["language_model.model.norm.", "output_norm."],
  ["language_model.model.layers.", "blk."],
  ["input_layernorm.", "attn_norm."],
  ["self_attn.q_proj.", "attn_q."],
  ["self_attn.k_proj.", "attn_k."],
  ["self_attn.v_proj.", "attn_v."],
  ["self_attn.q_norm.", "attn_q_norm."],
  ["self_attn.k_norm.", "attn_k_norm."],
  ["self_attn.o_proj.", "attn_output."],
  ["post_attention_layernorm.", "ffn_norm."],
  ["mlp.gate_proj.", "ffn_gate."],
  ["mlp.up_proj.", "ffn_up."],
  ["mlp.down_proj.", "ffn_down."]
]

const vision: Substitutions = [
  ["vision_model.embeddings.class_embedding", "v.class_embd"],
  ["vision_model.embeddings.position_embedding", "v.position_embd.weight"],
  ["vision_model.embeddings.patch_embedding.", "v.patch_embd."],
  ["vision_model.encoder.layers.", "v.blk."],
  ["attn.qkv.", "attn_qkv."],
  ["attn.proj.", "attn_out."],
  ["mlp.fc1.", "ffn_up."],
  ["mlp.fc2.", "ffn_down."],
  ["norm1.", "ln1."],
  ["norm2.", "ln2."],
  [".ls1", ".ls1.weight"],
  [".ls2", ".ls2.weight"],
  ["mlp1.", "mm.model.mlp."]
]

const substitute = (name: string, pairs: Substitutions): string =>
  pairs.reduce((renamed, [from, to]) => renamed.replace(from, to), name)

/** The tensors that a parameter is written as: one, or three for the rows of queries, keys and values together. */
export const ggufNames = (parameter: string): readonly string[] => {
  const name = substitute(parameter, parameter.startsWith("language_model.") ? language : vision)
  return name.includes(".attn_qkv.") ? ["q", "k", "v"].map((part) => name.replace("_qkv.", `_${part}.`)) : [name]
}

const visionBlock = new RegExp(`^${visionBlockName(0).replace(/0$/, "").replaceAll(".", "\\.")}(\\d+)\\.`)

/** Number of the block of the vision tower that a parameter belongs to; undefined for none. */
export const visionBlockOf = (parameter: string): number | undefined => {
  const [, index] = visionBlock.exec(parameter) ?? []
  return index === undefined ? undefined : Number(index)
}
