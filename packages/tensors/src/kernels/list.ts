/** Every kernel. The conformance suite, the benchmarks and FEATURES.md walk this list. */
import type { AnyKernel } from "../core/Kernel.ts"
import { adamStepKernel } from "./adamStep/definition.ts"
import { adaroundInitialKernel } from "./adaroundInitial.ts"
import { adaroundScalesKernel } from "./adaroundScales/definition.ts"
import { adaroundStepKernel } from "./adaroundStep/definition.ts"
import { adaroundWeightGradientKernel, adaroundWeightKernel } from "./adaroundWeight/definition.ts"
import { addKernel } from "./add.ts"
import { addBroadcastKernel, columnSumsKernel } from "./addBroadcast.ts"
import { addIntoKernel } from "./addInto.ts"
import { attentionGradientKernel, attentionKernel } from "./attention/definition.ts"
import { castKernel } from "./cast.ts"
import { castDitheredKernel } from "./castDithered.ts"
import { clampGroupsKernel } from "./clampGroups.ts"
import { clipFactorKernel } from "./clipFactor.ts"
import { clipSearchKernel, gramKernel } from "./clipSearch/definition.ts"
import { confidenceRowsKernel } from "./confidenceRows.ts"
import { crossEntropyRowsKernel } from "./crossEntropyRows/definition.ts"
import { dynamicCodesKernel, dynamicValuesKernel } from "./dynamicCodes/definition.ts"
import {
  bilevelCodesKernel,
  bilevelDecodeKernel,
  bilevelSearchKernel,
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
import { gatherCodesKernel } from "./gatherCodes.ts"
import { gatherRowsKernel, scatterAddRowsKernel } from "./gatherRows/definition.ts"
import { geluGradientKernel, geluKernel } from "./gelu.ts"
import { gridCodesKernel, gridDecodeKernel } from "./gridCodes/definition.ts"
import { gridGradientKernel } from "./gridGradient/definition.ts"
import { klRowsKernel } from "./klRows/definition.ts"
import { layerNormGradientKernel, layerNormKernel } from "./layerNorm/definition.ts"
import { layerScaleAddGradientKernel, layerScaleAddKernel } from "./layerScaleAdd.ts"
import { linearKernel } from "./linear.ts"
import { linearCodesKernel } from "./linearCodes/definition.ts"
import { matmulKernel } from "./matmul/definition.ts"
import { matmulIntoKernel } from "./matmulInto.ts"
import { multiplyKernel } from "./multiply.ts"
import { patchesKernel } from "./patches/definition.ts"
import { pixelShuffleKernel } from "./pixelShuffle/definition.ts"
import { dropFirstRowKernel, prependRowKernel } from "./prependRow.ts"
import { replaceRowsKernel, zeroRowsKernel } from "./replaceRows/definition.ts"
import { rmsNormGradientKernel, rmsNormKernel } from "./rmsNorm/definition.ts"
import { rotaryKernel } from "./rotary/definition.ts"
import { scaleKernel } from "./scale.ts"
import { scaleRowsKernel } from "./scaleRows.ts"
import { selfAttentionGradientKernel, selfAttentionKernel } from "./selfAttention/definition.ts"
import { siluTimesGradientKernel, siluTimesKernel } from "./siluTimes.ts"
import { softmaxGradientKernel, softmaxKernel } from "./softmax.ts"
import { joinColumnsKernel, splitColumnsKernel } from "./splitColumns/definition.ts"
import { squaredErrorGradientKernel, squaredErrorKernel } from "./squaredError/definition.ts"
import { sumKernel } from "./sum.ts"
import { sumSquaresIntoKernel } from "./sumSquaresInto.ts"
import { tileRowsKernel, untileRowsKernel } from "./tiles/definition.ts"
import { transposeKernel } from "./transpose.ts"
import { unpackCodesKernel } from "./unpackCodes.ts"
import { writeRowsKernel } from "./writeRows.ts"

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
  selfAttentionKernel,
  selfAttentionGradientKernel,
  castKernel,
  castDitheredKernel,
  clampGroupsKernel,
  clipFactorKernel,
  gramKernel,
  clipSearchKernel,
  confidenceRowsKernel,
  crossEntropyRowsKernel,
  dynamicCodesKernel,
  dynamicValuesKernel,
  fakeQuantBilevelKernel,
  fakeQuantBilevelGradientKernel,
  bilevelCodesKernel,
  bilevelDecodeKernel,
  bilevelSearchKernel,
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
  gridGradientKernel,
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
  tileRowsKernel,
  untileRowsKernel,
  transposeKernel,
  writeRowsKernel,
  unpackCodesKernel
]
