/** How long the work of a block-wise stage takes: its iterations, and what is around them. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { measureSpeeds, type Piece } from "../measuring/speeds.ts"

interface BlockWork {
  /** Places of the blocks that are fitted. */
  readonly blocks: readonly number[]
  /** Iterations of a block, and the operations of one, forward: a mini-batch through the block. */
  readonly iterations: number
  readonly batchFlops: number
  /** Operations of all samples through one block. */
  readonly sampleFlops: number
  /** Weights that are quantized, of all blocks together. */
  readonly weights: number
  readonly pieces: {
    /** A block on samples, forward; in an iteration, forward and back. */
    readonly forward: Piece
    readonly iteration: Piece
    /** What an iteration does with the weights besides: AdaRound's step, or fake quantization and the optimizer's. */
    readonly update: Piece | undefined
    readonly optimizer?: Piece | undefined
  }
}

/**
 * An iteration is a block forward and back on its samples, and a step of all that is learned of its weights; around it samples pass
 * two blocks, as they are and quantized, and three looks are taken at the error. None where nothing can be measured.
 */
export const blockSeconds = Effect.fnUntraced(function* (work: BlockWork) {
  const { blocks, iterations, batchFlops, sampleFlops, weights, pieces } = work
  const { forward, iteration, update, optimizer } = pieces
  const measured = yield* measureSpeeds({ forward, iteration, update, optimizer })
  return Option.map(measured, ({ seconds, notes }) => {
    const perWeight = seconds.update + seconds.optimizer
    // Samples pass every block before the last one that is fitted, whether it is fitted or not.
    const passed = blocks.length === 0 ? 0 : blocks.at(-1)! + 1
    const fitting = iterations * (blocks.length * batchFlops * seconds.iteration + weights * perWeight)
    const around = sampleFlops * (3 * blocks.length + 2 * passed) * seconds.forward
    return { seconds: fitting + around, notes }
  })
})
