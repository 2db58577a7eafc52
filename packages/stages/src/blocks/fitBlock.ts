/** The optimization of one block: its beginning, an iteration, and the end that makes its weights permanent. */
import { type Block, type BlockState, type ReconstructionLosses, readLosses, reportBlock } from "@speedq/adaround"
import type { Stage } from "@speedq/pipeline"
import { type PackedWeights, packWeight, type QuantizedWeight } from "@speedq/quantizers"
import { noGrad, type Parameters, Random, scope, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { arriving } from "../compute/arriving.ts"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"
import type { BlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import type { FittedBlock } from "./BlockProgress.ts"

/** What a block is fitted with, whichever it is. */
export interface Fitting<L extends Parameters> {
  readonly choices: PlannedLayers["choices"]
  readonly caches: BlockCaches
  readonly method: BlockMethod<L>
  /** Of the stage. */
  readonly seed: number
  /** What becomes of a block that is worse than rounded to nearest. */
  readonly worse: "nearest" | "keep"
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

/** One iteration, which changes the tensors of the state in place. */
export const iterate = <L extends Parameters>({ method, caches }: Fitting<L>, block: Block, state: BlockState<L>) =>
  computing(() => {
    const { chosen, random } = method.draw(state, caches.count)
    return scope(() => method.step(block, { ...state, random }, caches.batch(chosen)))
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
  for (const layer of Object.keys(state.layers)) {
    const stored = noGrad(() => scope(() => storedOf(layer)))
    weights.set(layer, await packWeight(layer, choices.get(layer)!, block.grids[layer]!.weight.shape, stored))
    for (const tensor of Object.values<Tensor>(stored)) tensor.release()
  }
  const report: FittedBlock = {
    ...measured,
    ...(undecided !== undefined && { undecided }),
    kept: backToNearest ? "nearest" : method.name
  }
  return { weights, report }
}
