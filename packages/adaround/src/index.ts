/** Block-wise AdaRound: soft rounding, reconstruction, cached activations. Block-AP on the same blocks. */

export { type Grids, learnedParts, learnedWeight, learnsGrid, storedWeight } from "./blockwise/learnedWeight.ts"
export {
  type BlockTrainingOptions,
  efficientQatDefaults,
  initialTraining,
  type LayerChoices,
  trainedTensors,
  trainedWeights,
  trainingStep
} from "./blockwise/trainBlock.ts"
export { CacheFailed, NoGrid, NonFiniteReconstruction, NothingToRound } from "./Errors.ts"
export {
  type ActivationCache,
  type ActivationCacheOptions,
  makeActivationCache
} from "./reconstruction/ActivationCache.ts"
export { type BlockState, releaseBlockState } from "./reconstruction/BlockState.ts"
export {
  addRoundingGradients,
  type Block,
  blockError,
  brecqDefaults,
  drawBatch,
  fisherImportance,
  type ReconstructionBatch,
  type ReconstructionLosses,
  type ReconstructionOptions,
  type RoundingGradients,
  readLosses,
  releaseRoundingGradients,
  roundingGradients,
  roundingStep,
  roundingUpdate
} from "./reconstruction/reconstruct.ts"
export {
  type BlockReport,
  type BlockSamples,
  countUndecided,
  meanBlockError,
  reportBlock,
  undecidedShare
} from "./reconstruction/report.ts"
export {
  type LayerGrid,
  type LayerGrids,
  type LayerRounding,
  layerOnGrid,
  makeLayerGrid,
  makeLayerGrids,
  type RoundedLayer,
  type RoundingStepOptions
} from "./rounding/LayerGrid.ts"
export { alphasOf, hardWeights, initialRounding, type RoundingState } from "./rounding/RoundingState.ts"
export { type AnnealingOptions, annealedExponent, isAnnealing } from "./rounding/schedule.ts"
