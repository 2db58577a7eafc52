/** InternViT and the pixel shuffle: tiles to patch features (docs/method.md, "Vision tower" and "Pixel shuffle"). */
import { weightNames } from "@speedq/formats"
import {
  addBroadcast,
  dropFirstRow,
  gelu,
  layerNorm,
  layerScaleAdd,
  linear,
  patches,
  pixelShuffle,
  prependRow,
  reshape,
  scaleRows,
  scope,
  selfAttention,
  type Tensor
} from "@speedq/tensors"
import { allAtOnce, type InSteps } from "../internal/inSteps.ts"
import type { ModelConfig, VisionConfig } from "./ModelConfig.ts"
import { patchGrid } from "./ModelConfig.ts"
import { linearLayer, type Weights } from "./Weights.ts"

const norm = (weights: Weights, layer: string, x: Tensor, eps: number): Tensor => {
  const { weight, bias } = weightNames(layer)
  return layerNorm(x, weights.get(weight), weights.get(bias), eps)
}

/** Name of ViT block `index` in the checkpoint. */
export const visionBlockName = (index: number): string => `vision_model.encoder.layers.${index}`

/** Patches, class token and positions: pixels [T, 3, S, S] -> [T, 1 + N, C]. */
export const visionEmbeddings = (weights: Weights, config: VisionConfig, pixels: Tensor): Tensor =>
  scope(() => {
    const name = "vision_model.embeddings"
    const { hidden_size, patch_size, num_channels } = config
    const { weight, bias } = weightNames(`${name}.patch_embedding`)
    const kernel = reshape(weights.get(weight), [hidden_size, num_channels * patch_size * patch_size])
    const tokens = linear(patches(pixels, patch_size), kernel, weights.get(bias))
    const withClass = prependRow(tokens, reshape(weights.get(`${name}.class_embedding`), [hidden_size]))
    const positions = weights.get(`${name}.position_embedding`)
    return addBroadcast(withClass, reshape(positions, positions.shape.slice(1)))
  })

/** softmax(q k^T / sqrt(d)) v over all tokens of a tile, heads side by side: [T, N, C] -> [T, N, C]. */
const visionAttention = (weights: Weights, block: string, config: VisionConfig, x: Tensor): Tensor => {
  const [tiles, tokens, width] = x.shape as readonly [number, number, number]
  const heads = config.num_attention_heads
  const qkv = reshape(linearLayer(weights, `${block}.attn.qkv`, x), [tiles, tokens, 3, heads, width / heads])
  const mixed = selfAttention(qkv, { scale: (width / heads) ** -0.5 })
  return linearLayer(weights, `${block}.attn.proj`, reshape(mixed, [tiles, tokens, width]))
}

/** Stochastic depth: factors [T] (0 or 1/keep) for the two branches of a block; undefined keeps both. */
export interface DropPath {
  readonly attention: Tensor
  readonly mlp: Tensor
}

/**
 * One pre-norm block: x + attn(LN1(x)) ls1, then + fc2(gelu(fc1(LN2(x)))) ls2. [T, N, C] -> [T, N, C].
 * Inner values are released as soon as nothing needs them.
 */
export const visionBlock = (
  weights: Weights,
  config: VisionConfig,
  block: string,
  x: Tensor,
  dropPath?: DropPath
): Tensor =>
  scope(() => {
    const branch = (value: Tensor, factors: Tensor | undefined) => (factors ? scaleRows(value, factors) : value)
    const attended = scope(() => {
      const mixed = visionAttention(weights, block, config, norm(weights, `${block}.norm1`, x, config.layer_norm_eps))
      return layerScaleAdd(x, branch(mixed, dropPath?.attention), weights.get(`${block}.ls1`))
    })
    const hidden = scope(() =>
      gelu(linearLayer(weights, `${block}.mlp.fc1`, norm(weights, `${block}.norm2`, attended, config.layer_norm_eps)))
    )
    const output = linearLayer(weights, `${block}.mlp.fc2`, hidden)
    return layerScaleAdd(attended, branch(output, dropPath?.mlp), weights.get(`${block}.ls2`))
  })

/** Number of blocks that run: `select_layer` -1 is all of them, -2 all but the last. */
export const blocksUsed = (config: ModelConfig): number =>
  config.vision_config.num_hidden_layers + 1 + config.select_layer

/** Last hidden state of the ViT, a block a step: embeddings [T, 1 + N, C], which it takes over -> [T, 1 + N, C]. */
export function* visionBlocksInSteps(
  weights: Weights,
  config: ModelConfig,
  embeddings: Tensor,
  dropPath?: (block: number) => DropPath | undefined
): InSteps<Tensor> {
  let hidden = embeddings
  let isLeft = true
  try {
    for (let index = 0; index < blocksUsed(config); index++) {
      const next = visionBlock(weights, config.vision_config, visionBlockName(index), hidden, dropPath?.(index))
      hidden.release()
      hidden = next
      yield
    }
    isLeft = false
    return hidden
  } finally {
    if (isLeft) hidden.release()
  }
}

/** Last hidden state of the ViT: pixels [T, 3, S, S] -> [T, 1 + N, C]. */
export const visionTransformer = (
  weights: Weights,
  config: ModelConfig,
  pixels: Tensor,
  dropPath?: (block: number) => DropPath | undefined
): Tensor =>
  allAtOnce(visionBlocksInSteps(weights, config, visionEmbeddings(weights, config.vision_config, pixels), dropPath))

/** Drops the class token and folds 2 x 2 neighbours into channels: [T, 1 + N, C] -> [T, N / 4, 4 C]. */
export const shuffledFeatures = (config: ModelConfig, hidden: Tensor): Tensor => {
  const grid = patchGrid(config)
  const [tiles, , width] = hidden.shape as readonly [number, number, number]
  const square = reshape(dropFirstRow(hidden), [tiles, grid, grid, width])
  const shuffled = pixelShuffle(square, 2, config.ps_version)
  return reshape(shuffled, [tiles, (grid / 2) ** 2, 4 * width])
}

/** mlp1: LayerNorm (eps 1e-5), Linear, GELU, Linear. [T, N / 4, 4 C] -> [T, N / 4, H]. */
export const projector = (weights: Weights, features: Tensor): Tensor =>
  scope(() => {
    const normed = norm(weights, "mlp1.0", features, 1e-5)
    return linearLayer(weights, "mlp1.3", gelu(linearLayer(weights, "mlp1.1", normed)))
  })

/** Frozen part of seeing: pixels [T, 3, S, S] -> features [T, N / 4, 4 C], the same for every step that does not train the ViT. */
export const visionFeatures = (
  weights: Weights,
  config: ModelConfig,
  pixels: Tensor,
  dropPath?: (block: number) => DropPath | undefined
): Tensor => scope(() => shuffledFeatures(config, visionTransformer(weights, config, pixels, dropPath)))
