/** The optimization of one block: its beginning, an iteration, and the end that makes its weights permanent. */
import {
  addRoundingGradients,
  type Block,
  type BlockState,
  type ReconstructionLosses,
  type RoundingGradients,
  readLosses,
  releaseRoundingGradients,
  reportBlock
} from "@speedq/adaround"
import { releasePacked, releaseParameters } from "@speedq/exports"
import type { Stage } from "@speedq/pipeline"
import { type PackedWeights, packWeight, type QuantizedWeight } from "@speedq/quantizers"
import { noGrad, type Parameters, Random, type RandomState, scope, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { arriving } from "../compute/arriving.ts"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"
import { shardsOf } from "../training/shards.ts"
import type { BlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import type { FittedBlock } from "./BlockProgress.ts"
import type { HandOut } from "./miniBatchUnits.ts"

/** What a block is fitted with, whichever it is. */
export interface Fitting<L extends Parameters> {
  readonly choices: PlannedLayers["choices"]
  readonly caches: BlockCaches
  readonly method: BlockMethod<L>
  /** Of the stage. */
  readonly seed: number
  /** What becomes of a block that is worse than rounded to nearest. */
  readonly worse: "nearest" | "keep"
  /** Parts that a mini-batch is cut into. Default 1: it is not cut. */
  readonly shards?: number
}

/** What a block came to. */
export interface FinishedBlock {
  /** By layer. */
  readonly weights: PackedWeights
  readonly report: FittedBlock
}

/** The state before the first iteration of the block at `index`. Its mini-batches are drawn from a stream of its own, whatever was fitted before. */
export const beginBlock = <L extends Parameters>({ method, seed }: Fitting<L>, block: Block, index: number) =>
  computing(() => noGrad(() => scope(() => method.initial(block, Random.make(seed, `mini-batches of block ${index}`)))))

/** An iteration to come. */
interface Iteration<L extends Parameters> {
  readonly block: Block
  readonly state: BlockState<L>
  /** Hands parts of the mini-batch to others. */
  readonly handOut?: HandOut | undefined
}

/** What the next iteration goes by. */
interface Drawn {
  readonly chosen: readonly number[]
  readonly random: RandomState
  /** Gradients over all parts of a mini-batch that is cut. */
  readonly sum: RoundingGradients | undefined
}

const nobody = Effect.succeed(undefined)

/** Gradients of a mini-batch, part after part: computed by others, or here. The caller releases them. */
const sumOfParts = Effect.fnUntraced(function* <L extends Parameters>(
  { caches, shards = 1 }: Fitting<L>,
  { variables, gradients }: NonNullable<BlockMethod<L>["cut"]>,
  { block, state, handOut }: Iteration<L>,
  chosen: readonly number[]
) {
  const parts = shardsOf(chosen, shards)
  const at = variables(state)
  const tokens = caches.tokensOf(chosen)
  const elsewhere = yield* handOut?.({ iteration: state.iteration, variables: at, parts, tokens }) ?? nobody
  let sum: RoundingGradients | undefined
  const giveBack = Effect.sync(() => sum && releaseRoundingGradients(sum))
  yield* Effect.gen(function* () {
    for (const [part, samples] of parts.entries()) {
      // A run that is interrupted does not wait.
      const found = elsewhere && (yield* Effect.interruptible(elsewhere.gradientsOf(part)))
      const next = found ?? (yield* computing(() => scope(() => gradients(block, at, caches.batch(samples), tokens))))
      const before = sum
      sum = yield* computing(() => addRoundingGradients(before, next))
    }
  }).pipe(
    Effect.onError(() => giveBack),
    Effect.ensuring(elsewhere?.end ?? Effect.void)
  )
  return sum!
})

/** Draws the next mini-batch, and sums the gradients of its parts where it is cut. The state stays as it is. */
export const drawIteration = Effect.fnUntraced(function* <L extends Parameters>(
  fitting: Fitting<L>,
  iteration: Iteration<L>
) {
  const { method, caches, shards = 1 } = fitting
  const { chosen: drawn, random } = method.draw(iteration.state, caches.count)
  const chosen = Array.from(drawn)
  const isCut = method.cut !== undefined && Math.min(shards, chosen.length) > 1
  const sum = isCut ? yield* sumOfParts(fitting, method.cut, iteration, chosen) : undefined
  return { chosen, random, sum } satisfies Drawn
})

/** The iteration itself, which changes the tensors of the state in place. */
export const iterate = <L extends Parameters>(
  { method, caches }: Fitting<L>,
  block: Block,
  state: BlockState<L>,
  { chosen, random, sum }: Drawn
) =>
  computing(() => {
    const begun = { ...state, random }
    if (sum === undefined) return scope(() => method.step(block, begun, caches.batch(chosen)))
    try {
      const stepped = scope(() => method.cut!.step(block, begun, sum))
      // Its loss is that of the iteration, and read.
      releaseParameters(sum.gradients)
      return stepped
    } catch (error) {
      releaseRoundingGradients(sum)
      throw error
    }
  })

/** Numbers of the iteration that led to `state`, which are being read already. */
export const numbersOf = <L extends Parameters>(
  { method }: Fitting<L>,
  block: Block,
  state: BlockState<L>,
  losses: ReconstructionLosses
): Effect.Effect<Stage.Metrics, ComputeFailed> => Effect.map(arriving(readLosses(block, state, losses)), method.metrics)

/** Packs the weights that a state stands for, or those rounded to nearest, and measures what was won. The state stays the caller's. */
export const finishBlock = async <L extends Parameters>(
  { choices, caches, method, worse }: Fitting<L>,
  block: Block,
  state: BlockState<L>
): Promise<FinishedBlock> => {
  const measured = await reportBlock(block, () => method.weights(block, state), caches, method.batch)
  const undecided = await method.undecided?.(state)
  const backToNearest = worse === "nearest" && measured.errorFitted > measured.errorNearest
  const storedOf = (layer: string): QuantizedWeight => {
    const grid = block.grids[layer]!
    // The sign of an alpha that was not optimized is that of rounding to nearest.
    return backToNearest ? grid.stored(grid.initialAlpha()) : method.stored(block, layer, state.layers[layer]!)
  }
  const weights = new Map<string, Awaited<ReturnType<typeof packWeight>>>()
  try {
    for (const layer of Object.keys(state.layers)) {
      const stored = noGrad(() => scope(() => storedOf(layer)))
      weights.set(layer, await packWeight(layer, choices.get(layer)!, block.grids[layer]!.weight.shape, stored))
      for (const tensor of Object.values<Tensor>(stored)) tensor.release()
    }
  } catch (error) {
    releasePacked(weights)
    throw error
  }
  const report: FittedBlock = {
    ...measured,
    ...(undecided !== undefined && { undecided }),
    kept: backToNearest ? "nearest" : method.name
  }
  return { weights, report }
}
