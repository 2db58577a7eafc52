/** Block-wise AdaRound: soft rounding, reconstruction, cached activations. */
export { type ActivationCache, type ActivationCacheOptions, makeActivationCache } from "./ActivationCache.ts"
export { CacheFailed, NoGrid, NonFiniteReconstruction, NothingToRound } from "./Errors.ts"
export {
  type LayerGrid,
  type LayerGrids,
  type LayerRounding,
  layerOnGrid,
  makeLayerGrid,
  makeLayerGrids,
  type RoundedLayer,
  type RoundingStepOptions
} from "./LayerGrid.ts"
export { alphasOf, initialRounding, type RoundingState, releaseRounding } from "./RoundingState.ts"
export {
  type Block,
  blockError,
  brecqDefaults,
  drawBatch,
  fisherImportance,
  type ReconstructionBatch,
  type ReconstructionLosses,
  type ReconstructionOptions,
  readLosses,
  roundingStep
} from "./reconstruct.ts"
export { type BlockReport, type BlockSamples, countUndecided, meanBlockError, reportBlock } from "./report.ts"
export { type AnnealingOptions, annealedExponent, isAnnealing } from "./schedule.ts"
