/**
 * Confidence-aware Kullback-Leibler divergence (arXiv:2511.08914, stage 3; docs/method.md, "CAKLD"):
 *
 *   k = beta KL(student || teacher) + (1 - beta) KL(teacher || student),  beta the teacher's mean confidence
 *
 * A sure teacher is followed into its modes (reverse), an unsure one is covered (forward).
 */
import { add, klRows, scale } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { TeacherMissing } from "../Errors.ts"
import { type Labels, labelledRows, predictingRows, rowsUpToLabels } from "../vocabulary/Labels.ts"
import type { Loss } from "./Loss.ts"
import type { RowLoss } from "./RowLoss.ts"

type Mask = "shifted" | "unshifted" | "all"

const masks: { readonly [mask in Mask]: (labels: Labels) => readonly number[] } = {
  shifted: predictingRows,
  unshifted: labelledRows,
  all: rowsUpToLabels
}

export interface CakldOptions {
  /** beta: share of the reverse divergence, in [0, 1]; the reference's mean may be above (docs/quirks.md#quirk-2). */
  readonly confidence: number
  /** Logits are divided by it; the loss is not multiplied by its square. Default 1. */
  readonly temperature?: number
  /**
   * "shifted": rows that predict a label. "unshifted": rows that carry one, as the reference does (docs/quirks.md#quirk-1). "all": every
   * row up to the last that predicts a label.
   */
  readonly mask?: Mask
  /** "sum" over tokens and mean over the batch, as the recipe's ratio of KD to CE wants; or mean over tokens. */
  readonly reduction?: "sum" | "mean"
}

const name = "kd"

export const cakld = ({ confidence, temperature = 1, mask = "shifted", reduction = "sum" }: CakldOptions): RowLoss => ({
  name,
  needsTeacher: true,
  rowWeights: (labels) => {
    const rows = masks[mask](labels)
    const weight = 1 / (reduction === "sum" ? labels.batch : rows.length)
    return new Map(rows.map((row) => [row, weight]))
  },
  rows: ({ student, teacher, weights, gradient }) => {
    if (teacher === undefined) throw new TeacherMissing(name)
    const { forward, reverse } = klRows(student, teacher, weights, { beta: confidence, temperature }, gradient)
    return add(scale(reverse, confidence), scale(forward, 1 - confidence))
  }
})

export const CakldConfig = Schema.Struct({
  temperature: Schema.Finite.check(Schema.isGreaterThan(0)).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  mask: Schema.Literals(["shifted", "unshifted", "all"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("shifted" as const))
  ),
  reduction: Schema.Literals(["sum", "mean"]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("sum" as const)))
})
export type CakldConfig = typeof CakldConfig.Type

export const cakldLoss: Loss<CakldConfig> = {
  id: "cakld",
  version: 1,
  description: "divergence from the teacher, its direction by the teacher's confidence",
  Config: CakldConfig,
  needsTeacher: () => true,
  rowLoss: (config, { confidence }) => cakld({ ...config, confidence })
}
