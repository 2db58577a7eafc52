/** Block-wise AdaRound: soft rounding, reconstruction, cached activations. */
export { type ActivationCache, type ActivationCacheOptions, makeActivationCache } from "./ActivationCache.ts"
export { CacheFailed, NoGrid, NonFiniteReconstruction, NothingToRound } from "./Errors.ts"
export { type LayerGrid, layerOnGrid, makeLayerGrid } from "./LayerGrid.ts"
export { initialRounding, type LayerRounding, type RoundingState, releaseRounding } from "./RoundingState.ts"
export {
  type Block,
  blockError,
  brecqDefaults,
  drawBatch,
  type ReconstructionBatch,
  type ReconstructionLosses,
  type ReconstructionOptions,
  roundingStep
} from "./reconstruct.ts"
export { type BlockReport, countUndecided } from "./report.ts"
export { type AnnealingOptions, annealedExponent, isAnnealing } from "./schedule.ts"
