/** What the WebAssembly module exports: the entries that bodies of kernels name. */
export { gelu, geluGradient, siluTimes, siluTimesGradient } from "./activation"
export { adamStep } from "./adam"
export { adaroundInitial, adaroundWeight, adaroundWeightGradient } from "./adaround"
export { adaroundScales } from "./adaroundScales"
export { adaroundStep } from "./adaroundStep"
export { attentionGradientRows, attentionRows, rowDots, scaleRowsBy, sumHeads } from "./attention"
export { attentionQuery } from "./attentionQuery"
export { bilevelDecode, bilevelGradient, bilevelGroups } from "./bilevel"
export { bilevelBlocks } from "./bilevelBlocks"
export { bilevelSearch } from "./bilevelSearch"
export { addParts, addRow, columnSums, layerScaleAdd, layerScaleAddGradient } from "./broadcast"
export { cast } from "./cast"
export { clipSearch } from "./clipSearch"
export { codebookCodes, codebookDecode, codebookGradient, codebookGroups } from "./codebook"
export { dotCodes } from "./dotCodes"
export { dotRows } from "./dotRows"
export { add, addInto, multiply, scale, scaleRows } from "./elementwise"
export { clampGroups, gatherCodes, gridCodes, gridDecode, gridGradient, unpackCodes } from "./grid"
export {
  copyColumns,
  gatherRows,
  patches,
  pixelShuffle,
  prependRow,
  scatterAddRows,
  transpose,
  writeRows,
  zeroRows
} from "./layout"
export { confidenceRows, crossEntropyRows, klRows } from "./losses"
export { castDithered, dynamicCodes, dynamicValues } from "./moments"
export { layerNorm, layerNormGradient, rmsNorm, rmsNormGradient } from "./norms"
export { multiplyPanels, packColumns, packRows } from "./product"
export { addTotals, clipFactor, squaredError, squaredErrorGradient, sum, sumSquares } from "./reductions"
export { rotary } from "./rotary"
export { softmax, softmaxGradient } from "./softmax"
export { roundBfloat16, roundValues, splitBfloat16 } from "./split"
export { clear, clearRows, copyRows, fillRows, readRows, storeRows, widen, widenRows } from "./storage"
export { tileRows, untileRows } from "./tiles"
export { uniformGradient, uniformGroups, uniformRangeGradient } from "./uniform"
export { unpackTiles } from "./unpackTiles"
