/** Block-AP as its options describe it: what it can fit, what it takes, and the method itself. */
import { efficientQatDefaults, learnsGrid } from "@speedq/adaround"
import * as Effect from "effect/Effect"
import type { MethodCost } from "../blocks/MethodCost.ts"
import { fakeQuantizationPiece, optimizerPiece } from "../measuring/weightPieces.ts"
import type { Choices, PlannedLayers } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import { requireLearnedGrids } from "../training/learnedGrids.ts"
import { refuseSearches } from "../training/refuseSearches.ts"
import { batchesOf, trainingCopies, trainingMethod } from "./trainingMethod.ts"

interface BlockApConfig {
  readonly epochs: number
  readonly batch: number
  readonly learningRate?: number | undefined
  readonly grids?: "follow" | "learned" | undefined
  readonly gridRate: number
}

/** Weights are quantized in every iteration: only a grid that is learned may be searched for, as that is done once. */
const requireFit =
  ({ grids }: BlockApConfig) =>
  (planned: PlannedLayers) => {
    const { choices } = planned
    const following = new Map([...choices].filter(([, choice]) => !learnsGrid(choice, grids)))
    return requireGrids("Block-AP", planned).pipe(
      Effect.andThen(requireLearnedGrids(grids === "learned" ? choices : new Map())),
      Effect.andThen(refuseSearches(following))
    )
  }

const iterationsOf = ({ epochs, batch }: BlockApConfig, samples: number): number => epochs * batchesOf(samples, batch)

export const blockApCost = (config: BlockApConfig): MethodCost => ({
  requireFit: requireFit(config),
  batch: config.batch,
  iterations: (samples) => iterationsOf(config, samples),
  copies: trainingCopies,
  stateCopies: 3,
  pieces: (matrices) => ({
    update: fakeQuantizationPiece(matrices, true),
    optimizer: optimizerPiece(matrices.map(({ shape }) => shape))
  })
})

/** What a tower is fitted by. */
export const blockApFit = (config: BlockApConfig) => ({
  requireFit: requireFit(config),
  makeMethod: (samples: number, choices: Choices) =>
    trainingMethod(
      {
        iterations: iterationsOf(config, samples),
        batch: config.batch,
        learningRate: (layer) => {
          const { quantizer, config: own } = choices.get(layer)!
          return config.learningRate ?? efficientQatDefaults.learningRate(quantizer.grid!.extents(own).bits)
        },
        gridRate: config.gridRate,
        grids: config.grids
      },
      choices
    )
})
