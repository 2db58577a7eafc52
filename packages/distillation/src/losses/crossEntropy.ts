/**
 * Cross entropy of the labels, optionally smoothed (docs/method.md, "Cross entropy"):
 *
 *   mean over labelled tokens of (1 - e) (-log p[label]) + e mean_v(-log p[v])
 */
import { crossEntropyRows } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { predictingRows } from "../vocabulary/Labels.ts"
import type { Loss } from "./Loss.ts"
import type { RowLoss } from "./RowLoss.ts"

export interface CrossEntropyOptions {
  /** Share e of the target spread over the vocabulary; 0.1 in stage 3, 0 for plain cross entropy. */
  readonly labelSmoothing?: number
}

/** Nothing labelled: 0 with gradient 0. */
export const crossEntropy = ({ labelSmoothing = 0 }: CrossEntropyOptions = {}): RowLoss => ({
  name: "ce",
  needsTeacher: false,
  rowWeights: (labels) => {
    const rows = predictingRows(labels)
    return new Map(rows.map((row) => [row, 1 / rows.length]))
  },
  rows: ({ student, labels, weights, gradient }) =>
    crossEntropyRows(student, labels, weights, { smoothing: labelSmoothing }, gradient)
})

export const CrossEntropyConfig = Schema.Struct({
  labelSmoothing: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(0))
  )
})
export type CrossEntropyConfig = typeof CrossEntropyConfig.Type

export const crossEntropyLoss: Loss<CrossEntropyConfig> = {
  id: "cross-entropy",
  version: 1,
  description: "cross entropy of the labels",
  Config: CrossEntropyConfig,
  needsTeacher: () => false,
  rowLoss: crossEntropy
}
