/** Quantizers of weight matrices, rules that choose them, and how their numbers are stored. */

export { type AwqClipOptions, awqClip } from "./awq/awqClip.ts"
export { awqDefaults, awqScales } from "./awq/awqScales.ts"
export {
  type CalibrationOptions,
  calibrationBlocks,
  calibrationDefaults,
  type DocumentFormat,
  documentOfLine,
  documentsOf
} from "./clipping/calibration.ts"
export {
  type ClippingOptions,
  clippingDefaults,
  collectMoments,
  type FoundRange,
  inputMoments,
  isClipped,
  type MomentCollector,
  searchClipping
} from "./clipping/clipping.ts"
export { type ClipRange, clippedWeight, clipWeight } from "./clipping/clipWeight.ts"
export {
  CalibrationEmpty,
  CalibrationInvalid,
  GroupSizeIndivisible,
  HessianNotDefinite,
  NonFiniteWeight,
  PackedInvalid,
  PatternInvalid,
  QuantizerConfigInvalid,
  QuantizerMissing,
  QuantizerVersionDiffers,
  RuleUnused,
  ScaleNotFinite,
  UnknownQuantizer,
  WeightTooLarge
} from "./Errors.ts"
export {
  type GptqFactor,
  type GptqSettings,
  gptqDefaults,
  gptqFactor,
  gptqWeight,
  hasOwnGroups
} from "./gptq/gptq.ts"
export {
  collectHessians,
  collectMagnitudes,
  type InputSum,
  type InputSums,
  type RowFactors
} from "./inputs/inputSums.ts"
export {
  hasFreeScales,
  type LearnedGrid,
  learnedGrid,
  quantizedOnGrid,
  storedOnGrid,
  type WeightOnGrid
} from "./learned/learnedGrid.ts"
export { packBits, packedBytes, unpackBits } from "./packing/BitPacking.ts"
export {
  describePacked,
  isPackedContainer,
  type PackedWeights,
  packedContainer,
  readPackedContainer,
  readPackedWeights
} from "./packing/packedContainer.ts"
export { type AffineWeight, type PackedWeight, packRows, packWeight, readPackedWeight } from "./packing/packedWeight.ts"
export {
  type Compatibility,
  type EmbeddingReader,
  referenceClipping,
  referenceQuirks,
  withReferenceQuirks
} from "./quantizer/compatibility.ts"
export { configure } from "./quantizer/configure.ts"
export {
  type CodeGrid,
  type GridParameters,
  type QuantizedWeight,
  type Quantizer,
  type QuantizerChoice,
  type StoredTensor,
  storedBytes
} from "./quantizer/Quantizer.ts"
export type {
  BilevelOptions,
  EmbeddingSym4Options,
  FlatAsymmetricOptions,
  N2f3Options,
  RuleTarget,
  UniformOptions
} from "./quantizer/quantizerOptions.ts"
export { isForeign, readChoice, WrittenChoice } from "./quantizer/readChoice.ts"
export { type ChoiceSpec, decodeChoice, encodeChoice, quantizers } from "./quantizer/registry.ts"
export { BilevelConfig, bilevel, bilevelQuantizer } from "./quantizers/bilevel.ts"
export { EmbeddingSym4Config, embeddingSym4, embeddingSym4Quantizer } from "./quantizers/embeddingSym4.ts"
export {
  FlatAsymmetricConfig,
  flatAsymmetric,
  int2AsymQuantizer,
  int3AsymQuantizer
} from "./quantizers/flatAsymmetric.ts"
export { N2f3Config, n2f3, n2f3Quantizer } from "./quantizers/n2f3.ts"
export { NoneConfig, none, noneQuantizer } from "./quantizers/none.ts"
export { UniformConfig, uniform, uniformQuantizer } from "./quantizers/uniform.ts"
export { compilePattern } from "./rules/Pattern.ts"
export { type PlanRow, planRows, renderPlan } from "./rules/planTable.ts"
export {
  type CheckedChoice,
  type ChoiceInput,
  choice,
  type DecodeRulesOptions,
  decodeRules,
  type KnownChoice,
  mixQuant,
  OptionalRules,
  type QuantizerOptions,
  QuantizerSpec,
  type RuleInput,
  RuleList,
  type RuleScope,
  RuleSpec,
  rule
} from "./rules/RuleSpec.ts"
export {
  choicesOf,
  costOf,
  type Layer,
  type LayerKind,
  type Plan,
  type PlannedLayer,
  planLayers,
  type Rule
} from "./rules/Rules.ts"
export { type SizePart, type SizeReport, sizeReport } from "./rules/sizeReport.ts"
export { assertFinite, assertQuantizable, magnitudeOf } from "./weights/finiteWeights.ts"
