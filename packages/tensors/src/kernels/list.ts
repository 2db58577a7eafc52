/** Every kernel. The conformance suite, the benchmarks and FEATURES.md walk this list. */
import type { AnyKernel } from "../Kernel.ts"
import { adamStepKernel } from "./adamStep/definition.ts"
import { adaroundInitialKernel } from "./adaroundInitial/definition.ts"
import { adaroundScalesKernel } from "./adaroundScales/definition.ts"
import { adaroundStepKernel } from "./adaroundStep/definition.ts"
import { adaroundWeightGradientKernel, adaroundWeightKernel } from "./adaroundWeight/definition.ts"
import { addKernel } from "./add/definition.ts"
import { addBroadcastKernel, columnSumsKernel } from "./addBroadcast/definition.ts"
import { addIntoKernel } from "./addInto/definition.ts"
import { attentionGradientKernel, attentionKernel } from "./attention/definition.ts"
import { castKernel } from "./cast/definition.ts"
import { clampGroupsKernel } from "./clampGroups/definition.ts"
import { clipFactorKernel } from "./clipFactor/definition.ts"
import { clipSearchKernel, gramKernel } from "./clipSearch/definition.ts"
import { confidenceRowsKernel } from "./confidenceRows/definition.ts"
import { crossEntropyRowsKernel } from "./crossEntropyRows/definition.ts"
import {
  bilevelCodesKernel,
  bilevelDecodeKernel,
  fakeQuantBilevelGradientKernel,
  fakeQuantBilevelKernel
} from "./fakeQuantBilevel/definition.ts"
import {
  codebookCodesKernel,
  codebookDecodeKernel,
  fakeQuantCodebookGradientKernel,
  fakeQuantCodebookKernel
} from "./fakeQuantCodebook/definition.ts"
import { fakeQuantUniformGradientKernel, fakeQuantUniformKernel } from "./fakeQuantUniform/definition.ts"
import { gatherCodesKernel } from "./gatherCodes/definition.ts"
import { gatherRowsKernel, scatterAddRowsKernel } from "./gatherRows/definition.ts"
import { geluGradientKernel, geluKernel } from "./gelu/definition.ts"
import { gridCodesKernel, gridDecodeKernel } from "./gridCodes/definition.ts"
import { klRowsKernel } from "./klRows/definition.ts"
import { layerNormGradientKernel, layerNormKernel } from "./layerNorm/definition.ts"
import { layerScaleAddGradientKernel, layerScaleAddKernel } from "./layerScaleAdd/definition.ts"
import { linearKernel } from "./linear/definition.ts"
import { linearCodesKernel } from "./linearCodes/definition.ts"
import { matmulKernel } from "./matmul/definition.ts"
import { matmulIntoKernel } from "./matmulInto/definition.ts"
import { multiplyKernel } from "./multiply/definition.ts"
import { patchesKernel } from "./patches/definition.ts"
import { pixelShuffleKernel } from "./pixelShuffle/definition.ts"
import { dropFirstRowKernel, prependRowKernel } from "./prependRow/definition.ts"
import { replaceRowsKernel, zeroRowsKernel } from "./replaceRows/definition.ts"
import { rmsNormGradientKernel, rmsNormKernel } from "./rmsNorm/definition.ts"
import { rotaryKernel } from "./rotary/definition.ts"
import { scaleKernel } from "./scale/definition.ts"
import { scaleRowsKernel } from "./scaleRows/definition.ts"
import { siluTimesGradientKernel, siluTimesKernel } from "./siluTimes/definition.ts"
import { softmaxGradientKernel, softmaxKernel } from "./softmax/definition.ts"
import { joinColumnsKernel, splitColumnsKernel } from "./splitColumns/definition.ts"
import { squaredErrorGradientKernel, squaredErrorKernel } from "./squaredError/definition.ts"
import { sumKernel } from "./sum/definition.ts"
import { sumSquaresIntoKernel } from "./sumSquaresInto/definition.ts"
import { transposeKernel } from "./transpose/definition.ts"
import { unpackCodesKernel } from "./unpackCodes/definition.ts"
import { writeRowsKernel } from "./writeRows/definition.ts"

export const kernels: readonly AnyKernel[] = [
  adamStepKernel,
  adaroundInitialKernel,
  adaroundScalesKernel,
  adaroundStepKernel,
  adaroundWeightKernel,
  adaroundWeightGradientKernel,
  addKernel,
  addBroadcastKernel,
  columnSumsKernel,
  addIntoKernel,
  attentionKernel,
  attentionGradientKernel,
  castKernel,
  clampGroupsKernel,
  clipFactorKernel,
  gramKernel,
  clipSearchKernel,
  confidenceRowsKernel,
  crossEntropyRowsKernel,
  fakeQuantBilevelKernel,
  fakeQuantBilevelGradientKernel,
  bilevelCodesKernel,
  bilevelDecodeKernel,
  fakeQuantCodebookKernel,
  fakeQuantCodebookGradientKernel,
  codebookCodesKernel,
  codebookDecodeKernel,
  fakeQuantUniformKernel,
  fakeQuantUniformGradientKernel,
  gatherCodesKernel,
  gatherRowsKernel,
  scatterAddRowsKernel,
  geluKernel,
  geluGradientKernel,
  gridCodesKernel,
  gridDecodeKernel,
  klRowsKernel,
  layerNormKernel,
  layerNormGradientKernel,
  layerScaleAddKernel,
  layerScaleAddGradientKernel,
  linearKernel,
  linearCodesKernel,
  matmulKernel,
  matmulIntoKernel,
  multiplyKernel,
  patchesKernel,
  pixelShuffleKernel,
  prependRowKernel,
  dropFirstRowKernel,
  replaceRowsKernel,
  zeroRowsKernel,
  rmsNormKernel,
  rmsNormGradientKernel,
  rotaryKernel,
  scaleKernel,
  scaleRowsKernel,
  siluTimesKernel,
  siluTimesGradientKernel,
  softmaxKernel,
  softmaxGradientKernel,
  splitColumnsKernel,
  joinColumnsKernel,
  squaredErrorKernel,
  squaredErrorGradientKernel,
  sumKernel,
  sumSquaresIntoKernel,
  transposeKernel,
  writeRowsKernel,
  unpackCodesKernel
]
