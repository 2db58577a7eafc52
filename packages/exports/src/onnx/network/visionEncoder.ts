/** Vision tower, pixel shuffle and projector: pixel_values [tiles, 3, S, S] -> image_features [tiles, tokens, H]. */
import { weightNames } from "@speedq/formats"
import { blocksUsed, type ModelConfig, patchGrid, tileSize, tokensPerTile, visionBlockName } from "@speedq/vlm-model"
import { type GraphParts, microsoft } from "../protobuf/onnxMessages.ts"
import { layerNorm, linear, type Place, parameter } from "../weights/layers.ts"

/** Patches, class token and positions: [T, 3, S, S] -> [T, 1 + N, C]. */
const embeddings = (place: Place, config: ModelConfig, pixels: string): string => {
  const { graph } = place
  const { hidden_size: width, patch_size: patch } = config.vision_config
  const name = "vision_model.embeddings"
  const { weight, bias } = weightNames(`${name}.patch_embedding`)
  const patches = graph.op("Conv", [pixels, parameter(place, weight), parameter(place, bias)], {
    kernel_shape: [patch, patch],
    strides: [patch, patch]
  })
  const tokens = graph.op("Transpose", [graph.reshape(patches, [0, width, -1])], { perm: [0, 2, 1] })
  const tiles = graph.op("Shape", [pixels], { start: 0, end: 1 })
  const shape = graph.op("Concat", [tiles, graph.constant("i64", [1, width])], { axis: 0 })
  const classes = graph.op("Expand", [parameter(place, `${name}.class_embedding`), shape])
  const all = graph.op("Concat", [classes, tokens], { axis: 1 })
  return graph.op("Add", [all, parameter(place, `${name}.position_embedding`)])
}

/** x + attn(LN1(x)) ls1, then + fc2(gelu(fc1(LN2(x)))) ls2: [T, N, C] -> [T, N, C]. */
const block = (place: Place, config: ModelConfig, name: string, x: string): string => {
  const { graph } = place
  const { layer_norm_eps: eps, num_attention_heads: num_heads } = config.vision_config
  const addScaled = (to: string, branch: string, scales: string) =>
    graph.op("Add", [to, graph.op("Mul", [branch, parameter(place, scales)])])
  const qkv = graph.split(linear(place, `${name}.attn.qkv`, layerNorm(place, `${name}.norm1`, x, eps)), 3)
  const mixed = graph.op("MultiHeadAttention", qkv, { num_heads }, microsoft)
  const attended = addScaled(x, linear(place, `${name}.attn.proj`, mixed), `${name}.ls1`)
  const inner = linear(place, `${name}.mlp.fc1`, layerNorm(place, `${name}.norm2`, attended, eps))
  return addScaled(attended, linear(place, `${name}.mlp.fc2`, graph.op("Gelu", [inner])), `${name}.ls2`)
}

/** Without the class token, 2 x 2 neighbours folded into channels: [T, 1 + N, C] -> [T, N / 4, 4 C]. */
const shuffled = (place: Place, config: ModelConfig, hidden: string): string => {
  const { graph } = place
  const width = config.vision_config.hidden_size
  const half = patchGrid(config) / 2
  const patches = graph.slice(hidden, 1, 1, (2 * half) ** 2 + 1)
  // [T, row, row inside, column, column inside, C]; v1 swaps the axes of the result.
  const squares = graph.reshape(patches, [-1, half, 2, half, 2, width])
  const perm = config.ps_version === "v1" ? [0, 3, 1, 2, 4, 5] : [0, 1, 3, 2, 4, 5]
  return graph.reshape(graph.op("Transpose", [squares], { perm }), [-1, half ** 2, 4 * width])
}

export const visionEncoder = (place: Place, config: ModelConfig): GraphParts => {
  const { graph } = place
  let hidden = embeddings(place, config, "pixel_values")
  for (let index = 0; index < blocksUsed(config); index++) {
    hidden = block(place, config, visionBlockName(index), hidden)
  }
  const normed = layerNorm(place, "mlp1.0", shuffled(place, config, hidden), 1e-5)
  const features = linear(place, "mlp1.3", graph.op("Gelu", [linear(place, "mlp1.1", normed)]))
  graph.ops("Identity", [features], ["image_features"])
  const size = tileSize(config)
  const width = config.llm_config.hidden_size
  return graph.parts(
    "vision_encoder",
    [{ name: "pixel_values", type: "f32", shape: ["tiles", config.vision_config.num_channels, size, size] }],
    [{ name: "image_features", type: "f32", shape: ["tiles", tokensPerTile(config), width] }]
  )
}
