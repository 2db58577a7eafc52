/** Every kind of input that speedq reads. The order numbers the cases: what is added changes what a number means. */
import type { MakeTarget } from "../Target.ts"
import * as data from "./data.ts"
import * as models from "./models.ts"
import * as runs from "./runs.ts"

/** Read in well under a millisecond; they have eight turns for each of the others. */
const quick: readonly MakeTarget[] = [
  ...[models.safetensors, models.shards, models.torch, models.modelConfig, models.pixelStatistics, models.packed],
  ...[data.meta, data.pictureHeaders, runs.manifest, runs.savedState]
]
const slower: readonly MakeTarget[] = [
  ...[models.tokenizerJson, models.vocabulary, models.sentencePiece, models.description],
  ...[data.records, data.table, data.predictions, data.sheet, data.journal, data.picturePixels, data.compressed],
  ...[runs.recipe, runs.run]
]

export const makeTargets: readonly MakeTarget[] = [...quick, ...slower]
/** Which of them has its turn. */
export const turns: readonly MakeTarget[] = [...Array.from({ length: 8 }, () => quick).flat(), ...slower]
