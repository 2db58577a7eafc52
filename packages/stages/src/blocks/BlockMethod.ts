/** A way to fit the quantized weights of a block to its full-precision output: what is optimized, a step of it, what is kept. */
import type { Block, BlockState, ReconstructionBatch, ReconstructionLosses, RoundingGradients } from "@speedq/adaround"
import type { QuantizedWeight } from "@speedq/quantizers"
import type { Parameters, Random, RandomState } from "@speedq/tensors"

/** Losses of an iteration, read. */
interface LossNumbers {
  readonly reconstruction: number
  readonly rounding: number
}

export interface BlockMethod<L extends Parameters> {
  /** As reports name it: "AdaRound". */
  readonly name: string
  /** Iterations for each of the blocks. */
  readonly iterations: number
  /** Samples of a mini-batch. */
  readonly batch: number
  /** Tensors that the state has for a layer. */
  readonly parts: (layer: string) => readonly (keyof L & string)[]
  readonly initial: (block: Block, random: Random) => BlockState<L>
  /** The samples of the next mini-batch, and the stream's state after the draw. */
  readonly draw: (
    state: BlockState<L>,
    samples: number
  ) => { readonly chosen: ArrayLike<number>; readonly random: RandomState }
  /** One iteration; the tensors of the state change in place. */
  readonly step: (
    block: Block,
    state: BlockState<L>,
    batch: ReconstructionBatch
  ) => { readonly state: BlockState<L>; readonly losses: ReconstructionLosses }
  /** An iteration whose mini-batch is cut into parts, for methods that know it: gradients of each, and the step from their sum. */
  readonly cut?: {
    /** What gradients are taken at, by layer; the state's own tensors. */
    readonly variables: (state: BlockState<L>) => Parameters
    /** Of a part, in the caller's scope; `tokens` are those of the whole mini-batch. */
    readonly gradients: (
      block: Block,
      variables: Parameters,
      batch: ReconstructionBatch,
      tokens: number
    ) => RoundingGradients
    /** The tensors of the state change in place. */
    readonly step: (
      block: Block,
      state: BlockState<L>,
      sum: RoundingGradients
    ) => { readonly state: BlockState<L>; readonly losses: ReconstructionLosses }
  }
  /** The weights that a state stands for, as the stored form dequantizes, in the caller's scope. */
  readonly weights: (block: Block, state: BlockState<L>) => Parameters
  /** The stored form of a layer's weight: that of a state, in the caller's scope. */
  readonly stored: (block: Block, layer: string, state: L) => QuantizedWeight
  /** What is told of an iteration, by name. */
  readonly metrics: (losses: LossNumbers) => { readonly [name: string]: number }
  /** Share of the roundings that are still open; where a method has such. */
  readonly undecided?: (state: BlockState<L>) => Promise<number>
}
