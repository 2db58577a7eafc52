/** Every kind of input that speedq reads. The order numbers the cases: new kinds go to the end. */
import type { MakeTarget } from "../Target.ts"
import * as data from "./data.ts"
import * as models from "./models.ts"
import * as runs from "./runs.ts"

export const makeTargets: readonly MakeTarget[] = [
  ...[models.safetensors, models.shards, models.torch, models.modelConfig, models.pixelStatistics],
  ...[models.tokenizerJson, models.vocabulary, models.sentencePiece],
  ...[data.meta, data.records, data.table, data.predictions, data.sheet, data.journal],
  ...[data.pictureHeaders, data.picturePixels, data.compressed],
  ...[runs.recipe, runs.run, runs.manifest, runs.savedState]
]
