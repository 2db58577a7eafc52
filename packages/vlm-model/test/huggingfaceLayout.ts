/**
 * A checkpoint renamed as transformers does it (docs/method.md, "The transformers layout"), written down on its own:
 * substitutions in their order.
 */
import type { StoredTensor } from "./tinyModel.ts"

const vision: readonly (readonly [RegExp, string])[] = [
  [/vision_model/g, "vision_tower"],
  [/layers/g, "layer"],
  [/class_embedding/g, "cls_token"],
  [/position_embedding/g, "position_embeddings"],
  [/patch_embedding/g, "patch_embeddings.projection"],
  [/ls(\d+)/g, "lambda_$1"],
  [/attn\.proj/g, "attention.projection_layer"],
  [/attn/g, "attention"],
  [/norm1/g, "layernorm_before"],
  [/norm2/g, "layernorm_after"]
]
const projector: readonly (readonly [RegExp, string])[] = [
  [/^mlp1\.0/, "multi_modal_projector.layer_norm"],
  [/^mlp1\.1/, "multi_modal_projector.linear_1"],
  [/^mlp1\.3/, "multi_modal_projector.linear_2"]
]

/** "4.52" keeps language_model.* as it is; "5" puts everything but the head below `model.`. */
export type HuggingfaceVersion = "4.52" | "5"

const renamed = (name: string, version: HuggingfaceVersion): string => {
  const rules = name.startsWith("vision_model") ? vision : name.startsWith("mlp1") ? projector : []
  const old = rules.reduce((text, [from, to]) => text.replace(from, to), name)
  if (version === "4.52") return old
  if (old === "language_model.lm_head.weight") return "lm_head.weight"
  return `model.${old.replace(/^language_model\.model\./, "language_model.")}`
}

/** Rows `part` of three of a tensor. */
const third = ({ shape, values }: StoredTensor, part: number): StoredTensor => {
  const length = values.length / 3
  return { shape: [shape[0]! / 3, ...shape.slice(1)], values: values.slice(part * length, (part + 1) * length) }
}

/** The tensors under transformers' names, the fused qkv in three. */
export const toHuggingface = (
  tensors: ReadonlyMap<string, StoredTensor>,
  version: HuggingfaceVersion
): ReadonlyMap<string, StoredTensor> =>
  new Map(
    [...tensors].flatMap(([name, tensor]) => {
      const to = renamed(name, version)
      if (!name.includes("attn.qkv")) return [[to, tensor] as const]
      return ["q_proj", "k_proj", "v_proj"].map((part, i) => [to.replace("qkv", part), third(tensor, i)] as const)
    })
  )
