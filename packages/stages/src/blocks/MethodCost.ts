/** What a way to fit blocks takes, for the forecast of a stage. */
import type * as Effect from "effect/Effect"
import type { RulesInvalid } from "../Errors.ts"
import type { Piece } from "../measuring/speeds.ts"
import type { ChosenMatrix } from "../measuring/weightPieces.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"

export interface MethodCost {
  /** Fails where it cannot fit a layer's quantizer. */
  readonly requireFit: (planned: PlannedLayers) => Effect.Effect<void, RulesInvalid>
  /** Samples of a mini-batch. */
  readonly batch: number
  /** Iterations for each block, by the number of samples. */
  readonly iterations: (samples: number) => number
  /** Tensors of a Linear's size that are held while a block is fitted, and those of them that are saved. */
  readonly copies: number
  readonly stateCopies: number
  /** What an iteration does with the weights, apart from running the block. */
  readonly pieces: (matrices: readonly ChosenMatrix[]) => { readonly update: Piece; readonly optimizer?: Piece }
}
