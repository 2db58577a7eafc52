/** Quantizers of weight matrices, rules that choose them, and how their numbers are stored. */
export { packBits, packedBytes, unpackBits } from "./BitPacking.ts"
export {
  applyClipping,
  type ClippingOptions,
  type ClipRanges,
  clippingDefaults,
  inputMoments,
  isClipped,
  searchClipping
} from "./clipping.ts"
export { referenceQuirks, withReferenceQuirks } from "./compatibility.ts"
export {
  CalibrationEmpty,
  GroupSizeIndivisible,
  NonFiniteWeight,
  PackedInvalid,
  PatternInvalid,
  QuantizerConfigInvalid,
  RuleUnused,
  UnknownQuantizer
} from "./Errors.ts"
export { assertFinite } from "./finiteWeights.ts"
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
export { type SizePart, type SizeReport, sizeReport } from "./sizeReport.ts"
