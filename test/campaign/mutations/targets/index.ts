/** Every kind of input that speedq reads. The order numbers the cases: what is added changes what a number means. */
import type { MakeTarget } from "../Target.ts"
import * as data from "./data.ts"
import * as features from "./features.ts"
import * as models from "./models.ts"
import { quantDetails } from "./quantDetails.ts"
import * as runs from "./runs.ts"

/** Of so many rounds, those in which a kind has its turn: the longer its reading takes, the fewer. */
const rounds = 24
const turnsOf: readonly (readonly [turns: number, targets: readonly MakeTarget[]])[] = [
  // Less than half a millisecond of a processor, with its files.
  [
    rounds,
    [
      ...[models.safetensors, models.shards, models.torch, models.modelConfig, models.pixelStatistics],
      ...[data.meta, runs.savedState]
    ]
  ],
  // Half to one.
  [
    8,
    [
      models.packed,
      models.description,
      data.pictureHeaders,
      data.predictions,
      data.journal,
      runs.manifest,
      features.exact,
      features.rounded
    ]
  ],
  // One to one and a half.
  [3, [models.tokenizerJson, models.vocabulary, models.sentencePiece, data.compressed]],
  // Two.
  [2, [data.records, data.table, data.sheet, data.picturePixels, runs.recipe]],
  // Three, and fifteen for the report of a run.
  [1, [quantDetails, runs.setting, runs.run]]
]

export const makeTargets: readonly MakeTarget[] = turnsOf.flatMap(([, targets]) => targets)

/** Which of them has its turn: those with fewer are spread over the rounds. */
export const turns: readonly MakeTarget[] = Array.from({ length: rounds }, (_, round) =>
  turnsOf.flatMap(([count, targets]) => targets.filter((_, at) => (((round + at) % rounds) * count) % rounds < count))
).flat()
