/**
 * Block-wise reconstruction (BRECQ, arXiv:2102.05426; AdaRound, arXiv:2004.10568; docs/method.md,
 * "Block reconstruction"): one iteration, and what it is measured by.
 *
 *   loss = mean over tokens of sum over channels of (y_q - y)^2 + lambda sum over weights of (1 - |2 h(alpha) - 1|^beta_t)
 */
import {
  add,
  addInto,
  gatherRows,
  type Parameters,
  Random,
  reshape,
  scope,
  squaredError,
  type Tensor,
  valueAndGrad
} from "@speedq/tensors"
import { NonFiniteReconstruction, NothingToRound } from "../Errors.ts"
import type { LayerGrids } from "../rounding/LayerGrid.ts"
import { alphasOf, type RoundingState } from "../rounding/RoundingState.ts"
import { annealedExponent, isAnnealing } from "../rounding/schedule.ts"

/** A block of the network as a function of the weights of its Linears. */
export interface Block {
  readonly name: string
  /** Linears to be rounded, each on its grid. */
  readonly grids: LayerGrids
  /** Runs the block on inputs [B, ..., C] with the given weights [N, K] in place of its own. */
  readonly forward: (weights: Parameters, inputs: Tensor) => Tensor
}

export interface ReconstructionOptions {
  /** T; BRECQ uses 20000. */
  readonly iterations: number
  /** Samples of a mini-batch. */
  readonly batch: number
  readonly learningRate: number
  /** lambda: weight of the rounding regularizer. */
  readonly lambda: number
  readonly warmup: number
  readonly betaStart: number
  readonly betaEnd: number
}

/** BRECQ's settings for weights (docs/method.md, "Block reconstruction"). */
export const brecqDefaults: ReconstructionOptions = {
  iterations: 20_000,
  batch: 32,
  learningRate: 1e-3,
  lambda: 0.01,
  warmup: 0.2,
  betaStart: 20,
  betaEnd: 2
}

/** Adam's own settings (docs/method.md, "Block reconstruction"). */
const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

/** Inputs and full-precision targets of a mini-batch, [B, ..., C]; optional factor of each squared error. */
export interface ReconstructionBatch {
  readonly inputs: Tensor
  /** [R, C] where `rows` says which of the outputs have targets. */
  readonly targets: Tensor
  /** i32 [R]: rows of the flattened output that count; the others only fill up samples of unequal lengths. All where absent. */
  readonly rows?: Tensor | undefined
  /** Fisher weighting: `fisherImportance`. */
  readonly importance?: Tensor | undefined
}

/** Losses of an iteration, one element each. */
export interface ReconstructionLosses {
  readonly reconstruction: Tensor
  /** Zero during warm-up. */
  readonly rounding: Tensor | undefined
}

/** Factors of the squared errors out of the task loss's gradient at the block's output: (|g| + 1)^2. */
export const fisherImportance = (gradient: Float32Array): Float32Array => gradient.map((g) => (Math.abs(g) + 1) ** 2)

/** Tokens of a batch whose outputs count. */
export const tokensOf = ({ targets }: Pick<ReconstructionBatch, "targets">): number =>
  targets.size / targets.shape.at(-1)!

/** Rows [R, C] of an output [B, ..., C] that count, or the output itself. */
const counted = (output: Tensor, rows: Tensor | undefined): Tensor => {
  if (rows === undefined) return output
  const channels = output.shape.at(-1)!
  return gatherRows(reshape(output, [output.size / channels, channels]), rows)
}

/** Squared error summed over the channels (last axis), over `tokens`: the mean over those that count, or their share of a larger batch's. */
const reconstructionError = (
  output: Tensor,
  { targets, rows, importance }: ReconstructionBatch,
  tokens = tokensOf({ targets })
): Tensor => {
  const channels = targets.shape.at(-1)!
  return squaredError(counted(output, rows), targets, channels / Math.max(1, tokens * channels), importance)
}

/** Draws the samples of the next mini-batch, without repetition, and the stream's state after it. */
export const drawBatch = (state: Pick<RoundingState, "random">, samples: number, batch: number) => {
  const random = Random.restore(state.random)
  const chosen = random.permutation(samples).subarray(0, Math.min(batch, samples))
  return { chosen, random: random.save() }
}

/** The reconstruction loss, [1], and its gradients by the soft weights, by layer [N, K]: of a mini-batch, or of a part of it. */
export interface RoundingGradients {
  readonly reconstruction: Tensor
  readonly gradients: Parameters
}

/**
 * Gradients of a mini-batch at these alphas by layer; or of a part of one, its share, where `tokens` are those of the whole. The caller
 * releases them. Raises NothingToRound.
 *
 * @example roundingGradients(block, alphasOf(state), samples.batch([0, 1]), 4 * 1025)
 */
export const roundingGradients = (
  block: Block,
  alphas: Parameters,
  batch: ReconstructionBatch,
  tokens?: number
): RoundingGradients =>
  scope(() => {
    const layers = Object.entries(alphas)
    if (layers.length === 0) throw new NothingToRound(block.name)
    const soft = Object.fromEntries(layers.map(([layer, alpha]) => [layer, block.grids[layer]!.soft(alpha)]))
    const { value: reconstruction, gradients } = valueAndGrad((weights: Parameters) => ({
      loss: reconstructionError(block.forward(weights, batch.inputs), batch, tokens),
      auxiliary: undefined
    }))(soft)
    return { reconstruction, gradients }
  })

/** Adds the next part of a mini-batch to those before it, in place, and releases it. */
export const addRoundingGradients = (
  sum: RoundingGradients | undefined,
  next: RoundingGradients
): RoundingGradients => {
  if (sum === undefined) return next
  for (const [layer, gradient] of Object.entries(next.gradients)) addInto(sum.gradients[layer]!, gradient)
  addInto(sum.reconstruction, next.reconstruction)
  releaseRoundingGradients(next)
  return sum
}

export const releaseRoundingGradients = ({ reconstruction, gradients }: RoundingGradients): void => {
  for (const tensor of [reconstruction, ...Object.values(gradients)]) tensor.release()
}

/**
 * One Adam step on every alpha of the block, from the gradients of a mini-batch: minimizes reconstruction +
 * lambda sum(1 - |2 h(alpha) - 1|^beta_t). Alphas and moments are updated in place; the returned state has the next iteration number.
 */
export const roundingUpdate = (
  block: Block,
  state: RoundingState,
  { reconstruction, gradients }: RoundingGradients,
  options: ReconstructionOptions
): { readonly state: RoundingState; readonly losses: ReconstructionLosses } =>
  scope(() => {
    const { iterations, warmup, betaStart, betaEnd, lambda, learningRate } = options
    const t = state.iteration + 1
    const annealing = { iterations, warmup, start: betaStart, end: betaEnd }
    const penalized = isAnnealing(annealing, t)

    const penalty = { lambda: penalized ? lambda : 0, exponent: annealedExponent(annealing, t) }
    const roundings = Object.entries(state.layers).map(([layer, rounding]) =>
      block.grids[layer]!.step(rounding, gradients[layer]!, { ...penalty, ...adam, learningRate, step: t })
    )
    const losses = { reconstruction, rounding: penalized ? roundings.reduce(add) : undefined }
    return { state: { ...state, iteration: t }, losses }
  })

/** The same from a mini-batch. Raises NothingToRound. */
export const roundingStep = (
  block: Block,
  state: RoundingState,
  batch: ReconstructionBatch,
  options: ReconstructionOptions
): { readonly state: RoundingState; readonly losses: ReconstructionLosses } =>
  scope(() => roundingUpdate(block, state, roundingGradients(block, alphasOf(state), batch), options))

/** The losses of the iteration that led to `state`, as numbers; releases them. Raises NonFiniteReconstruction. */
export const readLosses = async (
  block: Block,
  { iteration }: Pick<RoundingState, "iteration">,
  { reconstruction, rounding }: ReconstructionLosses
): Promise<{ readonly reconstruction: number; readonly rounding: number }> => {
  const [ofReconstruction, ofRounding] = await Promise.all([reconstruction.item(), rounding?.item() ?? 0])
  reconstruction.release()
  rounding?.release()
  const total = ofReconstruction + ofRounding
  if (!Number.isFinite(total)) throw new NonFiniteReconstruction(block.name, iteration, total)
  return { reconstruction: ofReconstruction, rounding: ofRounding }
}

/** Error of the block with the given weights on one batch, [1]: sum over channels, mean over the rest. */
export const blockError = (block: Block, weights: Parameters, batch: ReconstructionBatch): Tensor =>
  scope(() => reconstructionError(block.forward(weights, batch.inputs), batch))
