/** Block-wise reconstruction (BRECQ, arXiv:2102.05426; AdaRound, arXiv:2004.10568): one iteration, and what it is measured by. */
import {
  adamStep,
  adaroundPenalty,
  add,
  type Parameters,
  Random,
  scope,
  squaredError,
  type Tensor,
  valueAndGrad
} from "@speedq/tensors"
import type { LayerGrid } from "./LayerGrid.ts"
import type { RoundingState } from "./RoundingState.ts"
import { annealedExponent, isAnnealing } from "./schedule.ts"

/** A block of the network as a function of the weights of its Linears. */
export interface Block {
  readonly name: string
  /** Linears to be rounded, each on its grid. */
  readonly grids: { readonly [layer: string]: LayerGrid }
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

/** BRECQ's settings for weights (adaround.md 4). */
export const brecqDefaults: ReconstructionOptions = {
  iterations: 20_000,
  batch: 32,
  learningRate: 1e-3,
  lambda: 0.01,
  warmup: 0.2,
  betaStart: 20,
  betaEnd: 2
}

/** Inputs and full-precision targets of a mini-batch, [B, ..., C]; optional factor of each squared error. */
export interface ReconstructionBatch {
  readonly inputs: Tensor
  readonly targets: Tensor
  /** (|g| + 1)^2 with g the task loss's gradient at the block's output: Fisher weighting. */
  readonly importance?: Tensor | undefined
}

/** Losses of an iteration, one element each. */
export interface ReconstructionLosses {
  readonly reconstruction: Tensor
  /** Zero during warm-up. */
  readonly rounding: Tensor | undefined
}

/** Squared error summed over the channels (last axis) and averaged over the rest. */
const reconstructionError = (output: Tensor, { targets, importance }: ReconstructionBatch): Tensor =>
  squaredError(output, targets, targets.shape.at(-1)! / Math.max(1, targets.size), importance)

/** Draws the samples of the next mini-batch, without repetition, and the stream's state after it. */
export const drawBatch = (state: RoundingState, samples: number, batch: number) => {
  const random = Random.restore(state.random)
  const chosen = random.permutation(samples).subarray(0, Math.min(batch, samples))
  return { chosen, random: random.save() }
}

/**
 * One Adam step on every alpha of the block: minimizes reconstruction + lambda sum(1 - |2 h(alpha) - 1|^beta_t).
 * Alphas and moments are updated in place; the returned state has the next iteration number.
 */
export const roundingStep = (
  block: Block,
  state: RoundingState,
  batch: ReconstructionBatch,
  options: ReconstructionOptions
): { readonly state: RoundingState; readonly losses: ReconstructionLosses } =>
  scope(() => {
    const { iterations, warmup, betaStart, betaEnd, lambda, learningRate } = options
    const t = state.iteration + 1
    const annealing = { iterations, warmup, start: betaStart, end: betaEnd }
    const beta = annealedExponent(annealing, t)
    const alphas = Object.fromEntries(Object.entries(state.layers).map(([layer, { alpha }]) => [layer, alpha]))

    const { gradients, auxiliary } = valueAndGrad((variables: Parameters) => {
      const weights = Object.fromEntries(
        Object.entries(variables).map(([layer, alpha]) => [layer, block.grids[layer]!.soft(alpha)])
      )
      const reconstruction = reconstructionError(block.forward(weights, batch.inputs), batch)
      const penalties = isAnnealing(annealing, t)
        ? Object.values(variables).map((alpha) => adaroundPenalty(alpha, { lambda, beta }))
        : []
      const rounding = penalties.length === 0 ? undefined : penalties.reduce(add)
      return {
        loss: rounding === undefined ? reconstruction : add(reconstruction, rounding),
        auxiliary: { reconstruction, rounding }
      }
    })(alphas)

    for (const [layer, { alpha, m, v }] of Object.entries(state.layers)) {
      adamStep(
        { parameter: alpha, m, v, gradient: gradients[layer]! },
        { learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false, step: t }
      )
    }
    return { state: { ...state, iteration: t }, losses: auxiliary }
  })

/** Error of the block with the given weights on one batch, [1]: sum over channels, mean over the rest. */
export const blockError = (block: Block, weights: Parameters, batch: ReconstructionBatch): Tensor =>
  scope(() => reconstructionError(block.forward(weights, batch.inputs), batch))
