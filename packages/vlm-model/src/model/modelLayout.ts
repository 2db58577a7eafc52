/**
 * Every tensor that a model of a given config has: names and shapes of the hub's original layout (docs/method.md,
 * "Tensor names").
 */
import { layerOf, parameterOf, weightNames } from "@speedq/formats"
import { type Shape, sizeOf } from "@speedq/tensors"
import { decoderNorm, embeddingAndHead, layerNames } from "./language.ts"
import {
  decoderFamily,
  headWidth,
  keyValueWidth,
  type LanguageConfig,
  type ModelConfig,
  patchGrid,
  queryWidth,
  type VisionConfig
} from "./ModelConfig.ts"
import { visionBlockName } from "./vision.ts"

type TensorShapes = ReadonlyMap<string, Shape>
type Entries = readonly (readonly [string, Shape])[]

/** Weight and bias of a layer, the bias as wide as the weight has rows. */
const withBias = (layer: string, shape: Shape): Entries => {
  const { weight, bias } = weightNames(layer)
  return [
    [weight, shape],
    [bias, [shape[0]!]]
  ]
}

const withoutBias = (layer: string, shape: Shape): Entries => [[parameterOf(layer), shape]]

const visionTensors = (config: VisionConfig): Entries => {
  const { hidden_size: width, intermediate_size: inner, num_channels, patch_size } = config
  const positions = (config.image_size / patch_size) ** 2 + 1
  const blocks = Array.from({ length: config.num_hidden_layers }, (_, index): Entries => {
    const block = visionBlockName(index)
    return [
      [`${block}.ls1`, [width]],
      [`${block}.ls2`, [width]],
      ...withBias(`${block}.attn.qkv`, [3 * width, width]),
      ...withBias(`${block}.attn.proj`, [width, width]),
      ...withBias(`${block}.mlp.fc1`, [inner, width]),
      ...withBias(`${block}.mlp.fc2`, [width, inner]),
      ...withBias(`${block}.norm1`, [width]),
      ...withBias(`${block}.norm2`, [width])
    ]
  })
  return [
    ["vision_model.embeddings.class_embedding", [1, 1, width]],
    ["vision_model.embeddings.position_embedding", [1, positions, width]],
    ...withBias("vision_model.embeddings.patch_embedding", [width, num_channels, patch_size, patch_size]),
    ...blocks.flat()
  ]
}

const languageTensors = (config: LanguageConfig): Entries => {
  const { hidden_size: width, intermediate_size: inner, vocab_size } = config
  const projection = decoderFamily(config).attentionBias ? withBias : withoutBias
  const [queries, keys] = [queryWidth(config), keyValueWidth(config)]
  const layers = Array.from({ length: config.num_hidden_layers }, (_, index): Entries => {
    const { qkv, ...names } = layerNames(config, index)
    const norms = [names.qNorm, names.kNorm].filter((name) => name !== undefined)
    const rows: readonly (readonly [string, number])[] =
      "fused" in qkv
        ? [[qkv.fused, queries + 2 * keys]]
        : [
            [qkv.q, queries],
            [qkv.k, keys],
            [qkv.v, keys]
          ]
    return [
      ...rows.flatMap(([name, count]) => projection(name, [count, width])),
      ...withoutBias(names.output, [width, queries]),
      ...norms.flatMap((norm) => withoutBias(norm, [headWidth(config)])),
      ...withoutBias(names.gate, [inner, width]),
      ...withoutBias(names.up, [inner, width]),
      ...withoutBias(names.down, [width, inner]),
      ...withoutBias(names.inputNorm, [width]),
      ...withoutBias(names.mlpNorm, [width])
    ]
  })
  const [embedding, ...head] = embeddingAndHead(config)
  return [
    ...withoutBias(embedding, [vocab_size, width]),
    ...layers.flat(),
    ...withoutBias(decoderNorm, [width]),
    ...head.flatMap((layer) => withoutBias(layer, [vocab_size, width]))
  ]
}

/** All tensors, in checkpoint order: 637 for InternVL3-1B, 685 for 2B. */
export const modelTensors = (config: ModelConfig): TensorShapes => {
  const width = config.llm_config.hidden_size
  const features = config.vision_config.hidden_size * 4
  return new Map([
    ...visionTensors(config.vision_config),
    ...languageTensors(config.llm_config),
    ...withBias("mlp1.0", [features]),
    ...withBias("mlp1.1", [width, features]),
    ...withBias("mlp1.3", [width, width])
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
export const linearLayers = (config: ModelConfig): TensorShapes => {
  const others: readonly string[] = embeddingAndHead(config.llm_config)
  return new Map(
    [...modelTensors(config)].flatMap(([name, shape]) => {
      const layer = layerOf(name)
      const isLinear = shape.length === 2 && layer !== name && !others.includes(layer)
      return isLinear ? [[layer, shape] as const] : []
    })
  )
}

/** Whether the stored position embedding fits the tile size; otherwise it is resized when loading. */
export const positionsFit = (config: ModelConfig): boolean =>
  config.vision_config.image_size / config.vision_config.patch_size === patchGrid(config)
