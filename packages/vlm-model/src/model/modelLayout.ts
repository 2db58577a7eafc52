/**
 * Every tensor that a model of a given config has: names and shapes of the hub's original layout (docs/method.md,
 * "Tensor names").
 */
import { type Shape, sizeOf } from "@speedq/tensors"
import { decoderLayerName } from "./language.ts"
import { layerOf } from "./layerNames.ts"
import { headWidth, type LanguageConfig, type ModelConfig, patchGrid, type VisionConfig } from "./ModelConfig.ts"
import { visionBlockName } from "./vision.ts"

type TensorShapes = ReadonlyMap<string, Shape>
type Entries = readonly (readonly [string, Shape])[]

const affine = (name: string, width: number): Entries => [
  [`${name}.weight`, [width]],
  [`${name}.bias`, [width]]
]

const linearWithBias = (name: string, outputs: number, inputs: number): Entries => [
  [`${name}.weight`, [outputs, inputs]],
  [`${name}.bias`, [outputs]]
]

const visionTensors = (config: VisionConfig): Entries => {
  const { hidden_size: width, intermediate_size: inner, num_channels, patch_size } = config
  const positions = (config.image_size / patch_size) ** 2 + 1
  const blocks = Array.from({ length: config.num_hidden_layers }, (_, index): Entries => {
    const block = visionBlockName(index)
    return [
      [`${block}.ls1`, [width]],
      [`${block}.ls2`, [width]],
      ...linearWithBias(`${block}.attn.qkv`, 3 * width, width),
      ...linearWithBias(`${block}.attn.proj`, width, width),
      ...linearWithBias(`${block}.mlp.fc1`, inner, width),
      ...linearWithBias(`${block}.mlp.fc2`, width, inner),
      ...affine(`${block}.norm1`, width),
      ...affine(`${block}.norm2`, width)
    ]
  })
  return [
    ["vision_model.embeddings.class_embedding", [1, 1, width]],
    ["vision_model.embeddings.position_embedding", [1, positions, width]],
    ["vision_model.embeddings.patch_embedding.weight", [width, num_channels, patch_size, patch_size]],
    ["vision_model.embeddings.patch_embedding.bias", [width]],
    ...blocks.flat()
  ]
}

const languageTensors = (config: LanguageConfig): Entries => {
  const { hidden_size: width, intermediate_size: inner, vocab_size } = config
  const keyValueWidth = config.num_key_value_heads * headWidth(config)
  const layers = Array.from({ length: config.num_hidden_layers }, (_, index): Entries => {
    const layer = decoderLayerName(index)
    return [
      ...linearWithBias(`${layer}.self_attn.q_proj`, width, width),
      ...linearWithBias(`${layer}.self_attn.k_proj`, keyValueWidth, width),
      ...linearWithBias(`${layer}.self_attn.v_proj`, keyValueWidth, width),
      [`${layer}.self_attn.o_proj.weight`, [width, width]],
      [`${layer}.mlp.gate_proj.weight`, [inner, width]],
      [`${layer}.mlp.up_proj.weight`, [inner, width]],
      [`${layer}.mlp.down_proj.weight`, [width, inner]],
      [`${layer}.input_layernorm.weight`, [width]],
      [`${layer}.post_attention_layernorm.weight`, [width]]
    ]
  })
  return [
    ["language_model.model.embed_tokens.weight", [vocab_size, width]],
    ...layers.flat(),
    ["language_model.model.norm.weight", [width]],
    ["language_model.lm_head.weight", [vocab_size, width]]
  ]
}

/** All tensors, in checkpoint order: 637 for InternVL3-1B, 685 for 2B. */
export const modelTensors = (config: ModelConfig): TensorShapes => {
  const width = config.llm_config.hidden_size
  const features = config.vision_config.hidden_size * 4
  return new Map([
    ...visionTensors(config.vision_config),
    ...languageTensors(config.llm_config),
    ...affine("mlp1.0", features),
    ...linearWithBias("mlp1.1", width, features),
    ...linearWithBias("mlp1.3", width, width)
  ])
}

/** Number of parameters: 938,193,024 for InternVL3-1B, 2,088,957,440 for 2B. */
export const parameterCount = (config: ModelConfig): number =>
  [...modelTensors(config).values()].reduce((count, shape) => count + sizeOf(shape), 0)

/** What a Linear belongs to; quantization rules speak of it. */
export type Tower = "vision" | "projector" | "language"

export const towerOf = (name: string): Tower =>
  name.startsWith("vision_model.") ? "vision" : name.startsWith("mlp1.") ? "projector" : "language"

/** The Linear layers of a model by name, with shape [out, in]: embedding, head and patch embedding are not among them. */
export const linearLayers = (config: ModelConfig): TensorShapes =>
  new Map(
    [...modelTensors(config)].flatMap(([name, shape]) =>
      shape.length === 2 && layerOf(name) !== name && !/embed_tokens|lm_head/.test(name)
        ? [[layerOf(name), shape] as const]
        : []
    )
  )

/** Whether the stored position embedding fits the tile size; otherwise it is resized when loading. */
export const positionsFit = (config: ModelConfig): boolean =>
  config.vision_config.image_size / config.vision_config.patch_size === patchGrid(config)
