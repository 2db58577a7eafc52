/** Quantizers of weight matrices, rules that choose them, and how their numbers are stored. */
export { packBits, packedBytes, unpackBits } from "./BitPacking.ts"
export {
  type CalibrationOptions,
  calibrationBlocks,
  calibrationDefaults,
  type DocumentFormat,
  documentsOf
} from "./calibration.ts"
export {
  applyClipping,
  type ClippingOptions,
  type ClipRanges,
  clippingDefaults,
  collectMoments,
  inputMoments,
  isClipped,
  type MomentCollector,
  searchClipping
} from "./clipping.ts"
export { type Compatibility, referenceClipping, referenceQuirks, withReferenceQuirks } from "./compatibility.ts"
export { configure } from "./configure.ts"
export {
  CalibrationEmpty,
  CalibrationInvalid,
  GroupSizeIndivisible,
  NonFiniteWeight,
  PackedInvalid,
  PatternInvalid,
  QuantizerConfigInvalid,
  RuleUnused,
  UnknownQuantizer,
  WeightTooLarge
} from "./Errors.ts"
export { assertFinite, assertQuantizable } from "./finiteWeights.ts"
export { compilePattern } from "./Pattern.ts"
export {
  describePacked,
  isPackedContainer,
  type PackedWeights,
  packedContainer,
  readPackedContainer,
  readPackedWeights
} from "./packedContainer.ts"
export { type PackedWeight, packWeight, readPackedWeight } from "./packedWeight.ts"
export { type PlanRow, planRows, renderPlan } from "./planTable.ts"
export {
  type CodeGrid,
  type GridParameters,
  type QuantizedWeight,
  type Quantizer,
  type QuantizerChoice,
  type StoredTensor,
  storedBytes
} from "./Quantizer.ts"
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
export { type DecodeRulesOptions, decodeRules, mixQuant, RuleSpec } from "./RuleSpec.ts"
export { choicesOf, type Layer, type LayerKind, type Plan, type PlannedLayer, planLayers, type Rule } from "./Rules.ts"
export { type ChoiceSpec, decodeChoice, encodeChoice, quantizers } from "./registry.ts"
export { type SizePart, type SizeReport, sizeReport } from "./sizeReport.ts"
