/** Quantizers of weight matrices, rules that choose them, and how their numbers are stored. */
export { packBits, packedBytes, unpackBits } from "./BitPacking.ts"
export {
  CalibrationEmpty,
  GroupSizeIndivisible,
  NonFiniteWeight,
  PatternInvalid,
  QuantizerConfigInvalid,
  RuleUnused,
  UnknownQuantizer
} from "./Errors.ts"
export { compilePattern } from "./Pattern.ts"
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
export { NoneConfig, none, noneQuantizer } from "./quantizers/none.ts"
export { choicesOf, type Layer, type LayerKind, type Plan, type PlannedLayer, planLayers, type Rule } from "./Rules.ts"
