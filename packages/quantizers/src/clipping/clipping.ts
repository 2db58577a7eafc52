/**
 * Asymmetric clipping before quantization-aware training (arXiv:2511.08914 §3; docs/method.md, "Clipping search"): each
 * group of weights is clipped to the range, out of 10 x 10 shrunk ones, whose quantization changes its share of the
 * Linear's output least.
 *
 *   mean_t (x_t . d)^2 = d^T G d,  d = quantized - w,  G = mean_t x_t x_t^T
 *
 * so tokens are read once, for G, and not once a candidate.
 */
import {
  addInto,
  clipSearch,
  gatherRows,
  gram,
  keep,
  noGrad,
  reshape,
  scale,
  scope,
  type Tensor,
  tensor,
  zeros
} from "@speedq/tensors"
import { CalibrationEmpty } from "../Errors.ts"
import type { ClipRange } from "./clipWeight.ts"

export interface ClippingOptions {
  readonly bits: number
  /** g: input columns that share a range. */
  readonly group: number
  /** Steps of a shrink to zero, 20, and the share of the range at which shrinking stops, 0.5: 10 x 10 candidates. */
  readonly gridSize: number
  readonly maxShrink: number
  /** Tokens that a Linear's inputs are thinned to. */
  readonly sampleTokens: number
  /** "bf16" rounds operations and errors as the reference does (docs/quirks.md#quirk-5); "f32" by default. */
  readonly arithmetic?: "f32" | "bf16"
}

export const clippingDefaults = { gridSize: 20, maxShrink: 0.5, sampleTokens: 512 } as const

/** Ranges with what they cost, [out, in / g]: mean squared change of the group's output. */
export interface FoundRange extends ClipRange {
  readonly error: Tensor
  readonly errorUnclipped: Tensor
}

/** Names of Linears that are left unclipped: queries and keys, whose products are what attention compares. */
export const isClipped = (layer: string): boolean => !/q_|k_|query|key|Wqkv/.test(layer.split(".").at(-1) ?? layer)

/** Distance of the tokens that are looked at: floor(tokens / sample). Raises CalibrationEmpty when there are fewer. */
const strideOf = (source: string, tokens: number, sample: number): number => {
  if (tokens < sample) throw new CalibrationEmpty({ source, tokens, needed: sample })
  return Math.floor(tokens / sample)
}

/** Whole numbers from `first` below `end`, `stride` apart. */
const every = (stride: number, first: number, end: number): Int32Array =>
  Int32Array.from({ length: Math.max(0, Math.ceil((end - first) / stride)) }, (_, i) => first + i * stride)

/** Some rows of inputs [..., K], as a matrix. */
const pick = (inputs: Tensor, rows: Int32Array): Tensor => {
  const columns = inputs.shape.at(-1)!
  const matrix = reshape(inputs, [inputs.size / columns, columns])
  return gatherRows(matrix, tensor(inputs.backend, rows, [rows.length], "i32"))
}

const tokensOf = (inputs: Tensor): number => inputs.size / inputs.shape.at(-1)!

/** Second moments of a Linear's inputs [..., K], all that the search needs of them: [K / g, g, g]. Raises CalibrationEmpty. */
export const inputMoments = (layer: string, inputs: Tensor, { group, sampleTokens }: ClippingOptions): Tensor =>
  scope(() => {
    const tokens = tokensOf(inputs)
    return gram(pick(inputs, every(strideOf(layer, tokens, sampleTokens), 0, tokens)), group)
  })

/** The same of inputs that come in parts, for all Linears of a model at once. */
export interface MomentCollector {
  /** Takes the next inputs [..., K] of a Linear; fits `Weights.observe` of a network. */
  readonly observe: (layer: string, inputs: Tensor) => void
  /** Second moments by layer, [K / g, g, g]; complete when every layer has seen all tokens. */
  readonly moments: ReadonlyMap<string, Tensor>
  readonly release: () => void
}

/**
 * Collects second moments over `tokens` tokens in all; `groupOf` says how a layer is grouped, undefined leaves it out.
 * Sampled are the same tokens as by `inputMoments` on all inputs together. Raises CalibrationEmpty.
 */
export const collectMoments = (
  source: string,
  tokens: number,
  groupOf: (layer: string) => number | undefined,
  sampleTokens: number = clippingDefaults.sampleTokens
): MomentCollector => {
  const stride = strideOf(source, tokens, sampleTokens)
  const sampled = Math.ceil(tokens / stride)
  const moments = new Map<string, Tensor>()
  const seen = new Map<string, number>()

  const observe = (layer: string, inputs: Tensor): void => {
    const group = groupOf(layer)
    if (group === undefined) return
    const begin = seen.get(layer) ?? 0
    const end = begin + tokensOf(inputs)
    seen.set(layer, end)
    const first = Math.ceil(begin / stride) * stride
    const rows = every(stride, first, Math.min(end, tokens)).map((token) => token - begin)
    const columns = inputs.shape.at(-1)!
    const total = moments.get(layer) ?? keep(zeros(inputs.backend, [columns / group, group, group]))
    moments.set(layer, total)
    if (rows.length === 0) return
    noGrad(() => scope(() => addInto(total, scale(gram(pick(inputs, rows), group), rows.length / sampled))))
  }
  return {
    observe,
    moments,
    release: () => {
      for (const total of moments.values()) total.release()
    }
  }
}

/** Best ranges for a weight [out, in] given its inputs' second moments. */
export const searchClipping = (weight: Tensor, moments: Tensor, options: ClippingOptions): FoundRange => {
  const { bits, group, gridSize, maxShrink, arithmetic = "f32" } = options
  return clipSearch(weight, moments, { bits, group, gridSize, maxShrink, arithmetic })
}
