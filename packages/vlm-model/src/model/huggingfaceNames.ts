/**
 * Names of the transformers-native ("-hf") layout and the original ones they stand for (docs/method.md,
 * "The transformers layout").
 */
import { parameterOf } from "@speedq/formats"
import { headLayers } from "./decoderFamilies.ts"

/** Where the bytes of an original tensor come from: rows of stored tensors, one after the other. */
export type Pieces = readonly string[]

/** The hub's original layout, or the transformers-native one. */
export type Layout = "original" | "huggingface"

const renamedVision: readonly (readonly [string, string])[] = [
  ["vision_model.", "vision_tower."],
  [".layers.", ".layer."],
  ["class_embedding", "cls_token"],
  ["position_embedding", "position_embeddings"],
  ["patch_embedding.", "patch_embeddings.projection."],
  [".ls1", ".lambda_1"],
  [".ls2", ".lambda_2"],
  [".attn.proj.", ".attention.projection_layer."],
  [".attn.", ".attention."],
  [".norm1.", ".layernorm_before."],
  [".norm2.", ".layernorm_after."]
]

const renamedProjector: readonly (readonly [string, string])[] = [
  ["mlp1.0.", "multi_modal_projector.layer_norm."],
  ["mlp1.1.", "multi_modal_projector.linear_1."],
  ["mlp1.3.", "multi_modal_projector.linear_2."]
]

const substitute = (name: string, pairs: readonly (readonly [string, string])[]): string =>
  pairs.reduce((renamed, [from, to]) => renamed.replace(from, to), name)

/** The -hf tensors that an original tensor is made of: one, or three for the fused qkv. */
const huggingfacePieces = (name: string): Pieces => {
  if (!name.startsWith("vision_model.")) return [substitute(name, renamedProjector)]
  const renamed = substitute(name, renamedVision)
  return renamed.includes(".attention.qkv.")
    ? ["q_proj", "k_proj", "v_proj"].map((part) => renamed.replace(".qkv.", `.${part}.`))
    : [renamed]
}

/** Under which names a layout stores each tensor. */
export const storedNames = (names: Iterable<string>, layout: Layout): ReadonlyMap<string, Pieces> =>
  new Map(Array.from(names, (name) => [name, layout === "original" ? [name] : huggingfacePieces(name)] as const))

const withoutModel = (name: string): string =>
  name
    .replace(/^model\.(?=vision_tower|multi_modal_projector|language_model)/, "")
    .replace(/^lm_head\./, "language_model.lm_head.")

/** Whether a stored tensor is the head or belongs to it, in any layout. */
export const isOfHead = (stored: string): boolean =>
  headLayers.some((head) => withoutModel(stored).startsWith(`${head}.`))

/** Whether a stored tensor is the matrix of the head, in any layout. */
export const isHead = (stored: string): boolean => headLayers.some((head) => withoutModel(stored) === parameterOf(head))

/** One spelling for the prefixes that versions of transformers differ in. */
const canonical = (name: string): string =>
  isOfHead(name)
    ? withoutModel(name)
    : withoutModel(name).replace(/^language_model\.(?!model\.)/, "language_model.model.")

/** Buffers of SPEED-Q's own training checkpoints: not weights. */
export const isQuantizerBuffer = (name: string): boolean => name.includes(".weight_quantizer.")

interface ResolvedNames {
  /** Stored tensors for each original name that was found. */
  readonly pieces: ReadonlyMap<string, Pieces>
  readonly missing: readonly string[]
  readonly unexpected: readonly string[]
}

/** Finds every expected tensor among the stored names, in either layout. */
export const resolveNames = (expected: Iterable<string>, stored: Iterable<string>): ResolvedNames => {
  const byCanonical = new Map<string, string>()
  const unexpected: string[] = []
  for (const name of stored) {
    if (isQuantizerBuffer(name)) continue
    // The same tensor under two spellings: which one is meant?
    if (byCanonical.has(canonical(name))) unexpected.push(name)
    else byCanonical.set(canonical(name), name)
  }
  const pieces = new Map<string, Pieces>()
  const missing: string[] = []
  const used = new Set<string>()
  for (const name of expected) {
    const choice = [[name], huggingfacePieces(name)].find((parts) => parts.every((part) => byCanonical.has(part)))
    if (choice === undefined) {
      missing.push(name)
      continue
    }
    for (const part of choice) used.add(part)
    pieces.set(
      name,
      choice.map((part) => byCanonical.get(part)!)
    )
  }
  for (const [name, original] of byCanonical) if (!used.has(name)) unexpected.push(original)
  return { pieces, missing, unexpected }
}
