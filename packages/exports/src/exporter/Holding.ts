/** How a format holds quantized weights: what a plan says before any work, and what FEATURES.md lists. */
import type { PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import type { Shape } from "@speedq/tensors"
import { embeddingAndHead, type ModelConfig } from "@speedq/vlm-model"

/** A quantized layer, as far as a format must know it. */
export interface QuantizedLayer {
  readonly layer: string
  readonly kind: "linear" | "embedding"
  /** [out, in] */
  readonly shape: Shape
  readonly choice: QuantizerChoice
}

export interface Holding {
  /** Whether the codes stay, or the weight is written dequantized. */
  readonly as: "codes" | "numbers"
  /** Largest relative error of a weight as it is loaded, of numbers that are no subnormals; 0 is exact, undefined where it has no bound. */
  readonly relErr: number | undefined
}

/** Codes that stand for the same numbers, or for numbers that differ by at most this share. */
export const codes = (relErr: number | undefined = 0): Holding => ({ as: "codes", relErr })

/** Half of the distance between numbers of a format: what rounding to it changes at most. */
export const roundingOf = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8 } as const

export const numbers = (dtype: keyof typeof roundingOf): Holding => ({ as: "numbers", relErr: roundingOf[dtype] })

/** Layers as formats ask about them. */
export const quantizedLayers = (
  layers: Iterable<Omit<QuantizedLayer, "kind">>,
  config: ModelConfig
): readonly QuantizedLayer[] => {
  const embeddings: readonly string[] = embeddingAndHead(config.llm_config)
  return Array.from(layers, ({ layer, shape, choice }) => ({
    ...{ layer, shape, choice },
    kind: embeddings.includes(layer) ? "embedding" : "linear"
  }))
}

/** Packed layers of a model. */
export const packedLayersOf = (packed: PackedWeights, config: ModelConfig): readonly QuantizedLayer[] =>
  quantizedLayers(
    Array.from(packed, ([layer, { shape, choice }]) => ({ layer, shape, choice })),
    config
  )
