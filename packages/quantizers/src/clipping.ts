/** Asymmetric clipping before quantization-aware training (arXiv:2511.08914 §3; internvl3.md 6.8). */
import { clampGroups, clipSearch, gatherRows, gram, reshape, scope, type Tensor, tensor } from "@speedq/tensors"
import { CalibrationEmpty } from "./Errors.ts"

export interface ClippingOptions {
  readonly bits: number
  /** Input columns that share a range. */
  readonly group: number
  /** Steps of a shrink to zero, 20, and the share of the range at which shrinking stops, 0.5: 10 x 10 candidates. */
  readonly gridSize: number
  readonly maxShrink: number
  /** Tokens that a Linear's inputs are thinned to. */
  readonly sampleTokens: number
}

export const clippingDefaults = { gridSize: 20, maxShrink: 0.5, sampleTokens: 512 } as const

/** Ranges that weights are clamped to, [out, in / g], and what they cost: mean squared change of the group's output. */
export interface ClipRanges {
  readonly min: Tensor
  readonly max: Tensor
  readonly error: Tensor
  readonly errorUnclipped: Tensor
}

/** Names of Linears that are left unclipped: queries and keys, whose products are what attention compares. */
export const isClipped = (layer: string): boolean => !/q_|k_|query|key|Wqkv/.test(layer.split(".").at(-1) ?? layer)

/** Every floor(N / sample)-th token of inputs [..., K]. Raises CalibrationEmpty when there are fewer than `sample`. */
const thin = (layer: string, inputs: Tensor, sample: number): Tensor => {
  const columns = inputs.shape.at(-1)!
  const tokens = inputs.size / columns
  if (tokens < sample) throw new CalibrationEmpty({ source: layer, tokens, needed: sample })
  const stride = Math.floor(tokens / sample)
  const rows = Int32Array.from({ length: Math.ceil(tokens / stride) }, (_, i) => i * stride)
  return gatherRows(reshape(inputs, [tokens, columns]), tensor(inputs.backend, rows, [rows.length], "i32"))
}

/** Second moments of a Linear's inputs [..., K], all that the search needs of them: [K / g, g, g]. */
export const inputMoments = (layer: string, inputs: Tensor, { group, sampleTokens }: ClippingOptions): Tensor =>
  scope(() => gram(thin(layer, inputs, sampleTokens), group))

/** Best ranges for a weight [out, in] given its inputs' second moments. */
export const searchClipping = (weight: Tensor, moments: Tensor, options: ClippingOptions): ClipRanges => {
  const { bits, group, gridSize, maxShrink } = options
  return clipSearch(weight, moments, { bits, group, gridSize, maxShrink })
}

/** The weight with every group clamped to its range: applied once, before training. */
export const applyClipping = (weight: Tensor, { min, max }: Pick<ClipRanges, "min" | "max">): Tensor =>
  clampGroups(weight, min, max)
