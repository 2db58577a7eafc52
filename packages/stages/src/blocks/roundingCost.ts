/** What AdaRound takes, and what it can fit. */
import { roundingPiece } from "../measuring/weightPieces.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import type { MethodCost } from "./MethodCost.ts"
import { roundingCopies } from "./roundingMethod.ts"

interface RoundingConfig {
  readonly batch: number
  readonly iterations: number
  /** Parts that a mini-batch is cut into. */
  readonly shards?: number
}

export const requireRoundable = (planned: PlannedLayers) => requireGrids("AdaRound", planned)

export const roundingCost = ({ batch, iterations, shards = 1 }: RoundingConfig): MethodCost => ({
  requireFit: requireRoundable,
  batch,
  iterations: () => iterations,
  // A mini-batch that is cut has the sum of its gradients beside those of a part.
  copies: roundingCopies + (shards > 1 ? 1 : 0),
  stateCopies: 3,
  pieces: (matrices) => ({ update: roundingPiece(matrices) })
})
