/**
 * What a model costs to run, from its config alone: floating-point operations (two a multiplication with addition), and
 * floats that a forward pass keeps for the backward pass.
 */
import { sizeOf } from "@speedq/tensors"
import {
  blocksUsed,
  decoderFamily,
  keyValueWidth,
  type LanguageConfig,
  linearLayers,
  type ModelConfig,
  patchGrid,
  queryWidth,
  type Tower,
  tokensPerTile,
  towerOf
} from "@speedq/vlm-model"

/** Weights of a tower's Linears. */
export const linearWeights = (config: ModelConfig, tower: Tower): number =>
  [...linearLayers(config)].reduce((sum, [name, shape]) => (towerOf(name) === tower ? sum + sizeOf(shape) : sum), 0)

/** Tokens of one tile in the vision tower, class token included. */
export const visionTokens = (config: ModelConfig): number => patchGrid(config) ** 2 + 1

/** One of so many tokens through one vision block, forward. */
export const visionRowFlops = (config: ModelConfig, tokens: number): number => {
  const { num_hidden_layers, hidden_size } = config.vision_config
  return (2 * linearWeights(config, "vision")) / num_hidden_layers + 4 * tokens * hidden_size
}

/** One tile through one vision block, forward. */
export const visionBlockFlops = (config: ModelConfig): number =>
  visionTokens(config) * visionRowFlops(config, visionTokens(config))

/** A sequence through one decoder layer, forward. */
export const languageLayerFlops = (config: ModelConfig, tokens: number): number =>
  (2 * linearWeights(config, "language") * tokens) / config.llm_config.num_hidden_layers +
  2 * tokens ** 2 * queryWidth(config.llm_config)

/** A sequence through the decoder, forward, without logits. */
export const languageFlops = (config: ModelConfig, tokens: number): number =>
  config.llm_config.num_hidden_layers * languageLayerFlops(config, tokens)

/** Tiles through the projector, forward. */
export const projectorFlops = (config: ModelConfig, tiles: number): number =>
  2 * linearWeights(config, "projector") * tiles * tokensPerTile(config)

/** Floats of queries and keys for each token that norms of them read. */
const normedFloats = (config: LanguageConfig): number =>
  decoderFamily(config).names.layer.qNorm === undefined ? 0 : queryWidth(config) + keyValueWidth(config)

/** Floats that a decoder layer has for each token while its gradient is computed. */
export const languageLayerFloats = ({ llm_config }: ModelConfig): number => {
  const { hidden_size, intermediate_size } = llm_config
  const [queries, keys] = [queryWidth(llm_config), keyValueWidth(llm_config)]
  // The input of a norm is kept beside its output.
  return 7 * hidden_size + 3 * queries + 4 * keys + 4 * intermediate_size + normedFloats(llm_config)
}

/** Floats that it keeps for each token until then: norms and the gated activation are made again. */
const keptLayerFloats = ({ llm_config }: ModelConfig): number => {
  const { hidden_size, intermediate_size } = llm_config
  const [queries, keys] = [queryWidth(llm_config), keyValueWidth(llm_config)]
  return 2 * hidden_size + 2 * queries + 3 * keys + 2 * intermediate_size + normedFloats(llm_config)
}

/** Floats that a vision block keeps for each token. */
export const visionBlockFloats = ({ vision_config: { hidden_size, intermediate_size } }: ModelConfig): number =>
  14 * hidden_size + 2 * intermediate_size

/** Bytes of logits, of student, teacher and their gradient, that pass the head together. */
const logitBytes = 3 * 64 * 2 ** 20

interface KeptOptions {
  /** Of all sequences together. */
  readonly tokens: number
  /** Whether the Linears are fake-quantized: copies of one layer's are there too. */
  readonly fakeQuantized: boolean
  readonly rematerialize: boolean
}

/** Bytes that the decoder's forward pass keeps for its backward pass, with the largest of what either needs for a moment. */
export const keptBytes = (config: ModelConfig, { tokens, fakeQuantized, rematerialize }: KeptOptions): number => {
  const { num_hidden_layers: layers, hidden_size } = config.llm_config
  const inner = tokens * languageLayerFloats(config)
  const activations = inner + layers * tokens * (rematerialize ? hidden_size : keptLayerFloats(config))
  const quantized = fakeQuantized ? linearWeights(config, "language") / layers : 0
  return 4 * (activations + quantized) + logitBytes
}

/** Bytes that the vision tower keeps for its backward pass, where it is trained under fake quantization: copies of a block's weights. */
export const keptTowerBytes = (config: ModelConfig, tiles: number): number =>
  4 *
  (blocksUsed(config) * tiles * visionTokens(config) * visionBlockFloats(config) +
    linearWeights(config, "vision") / blocksUsed(config))
