/** The losses of a training stage: which, how strong, over which rows (arXiv:2511.08914 §3; internvl3.md 6.9, 6.10). */
import { cakld, crossEntropy, meanConfidence, type RowLoss, weighted } from "@speedq/distillation"
import { option, optionalOption } from "@speedq/formats"
import { type Compat, Count, Positive, Rate, type Report, Share } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

/** Factors and forms; a factor of 0 leaves a loss out, and the teacher with it. */
export const LossConfig = Schema.Struct({
  crossEntropy: option(Rate, 1, {
    description: "Factor of the cross entropy with the labels; 0 leaves it out.",
    source: "arXiv:2511.08914 §3"
  }),
  labelSmoothing: option(Share, 0.1, {
    description: "Share of the cross entropy that is spread evenly over the vocabulary.",
    source: "the reference's scripts"
  }),
  cakld: option(Rate, 1, {
    description:
      "Factor of the distillation loss (CAKLD) towards the full-precision teacher; 0 leaves it out, and the teacher with it.",
    source: "arXiv:2511.08914 §3"
  }),
  temperature: option(Positive, 1, {
    description:
      "Logits of student and teacher are divided by it in the distillation loss. Above 1, rare tokens count more.",
    source: "the reference has none"
  }),
  mask: optionalOption(Schema.Literals(["shifted", "unshifted"]), {
    description:
      "Rows that the distillation loss looks at: `shifted` takes those that predict a label, `unshifted` those that carry one.",
    source: "shifted, or unshifted under `compat` reference: docs/quirks.md#quirk-1"
  }),
  reduction: option(Schema.Literals(["sum", "mean"]), "sum", {
    description:
      "The distillation loss is the `sum` over a sample's tokens, so that long answers count more, or the `mean` over all tokens.",
    source: "the reference"
  }),
  confidence: option(Schema.Union([Schema.Literal("teacher"), Share]), "teacher", {
    description:
      "Share of the reverse divergence in CAKLD, from 0 to 1. `teacher` measures it before training: the teacher's mean confidence.",
    source: "arXiv:2511.08914 §3"
  }),
  confidenceBatches: option(Count, 100, {
    description: "Micro-batches on which the teacher's confidence is measured.",
    unit: "micro-batches",
    source: "the reference's scripts"
  }),
  confidenceRows: optionalOption(Schema.Literals(["answers", "all"]), {
    description:
      "Rows that the teacher's confidence is a mean over: those that predict an answer, or `all`, prompt and padding included.",
    source: "answers, or all under `compat` reference: docs/quirks.md#quirk-2"
  }),
  confidenceMean: optionalOption(Schema.Literals(["exact", "reference"]), {
    description:
      "`exact` is a mean; `reference` measures one batch more than `confidenceBatches` and divides by that number.",
    source: "exact, or reference under `compat` reference: docs/quirks.md#quirk-2"
  })
}).check(
  Schema.makeFilter(
    ({ crossEntropy, cakld }) =>
      crossEntropy + cakld > 0 || "crossEntropy and cakld are both 0: nothing would be learned"
  )
)
export type LossConfig = typeof LossConfig.Type

/** The same with nothing left open. */
export interface Losses extends Required<LossConfig> {}

export const decideLosses = (config: LossConfig, compat: typeof Compat.Type): Losses => ({
  mask: compat === "reference" ? "unshifted" : "shifted",
  confidenceRows: compat === "reference" ? "all" : "answers",
  confidenceMean: compat === "reference" ? "reference" : "exact",
  ...config
})

/** Cross entropy of the labels, as they are, and no teacher. */
export const crossEntropyAlone: Losses = decideLosses(
  Schema.decodeSync(LossConfig)({ labelSmoothing: 0, cakld: 0 }),
  "careful"
)

export const needsTeacher = ({ cakld }: Losses): boolean => cakld > 0

/** Whether beta has to be measured before training. */
export const measuresConfidence = (losses: Losses): boolean => needsTeacher(losses) && losses.confidence === "teacher"

/** Micro-batches that beta is measured on, of those that there are. */
export const measuredBatches = ({ confidenceBatches, confidenceMean }: Losses, available: number): number =>
  Math.min(available, confidenceMean === "reference" ? confidenceBatches + 1 : confidenceBatches)

/** beta, out of what was measured. */
export const confidenceOf = (
  { confidence, confidenceBatches, confidenceMean }: Losses,
  measured: readonly number[]
): number => {
  if (confidence !== "teacher") return confidence
  return meanConfidence(measured, confidenceMean === "reference" ? confidenceBatches : undefined)
}

/** The losses of a step. */
export const rowLosses = (losses: Losses, confidence: number): readonly RowLoss[] => [
  ...(losses.crossEntropy > 0 ? [weighted(losses.crossEntropy, crossEntropy(losses))] : []),
  ...(losses.cakld > 0 ? [weighted(losses.cakld, cakld({ ...losses, confidence }))] : [])
]

/** What the report says of the losses. */
export const lossSection = (losses: Losses, confidence: number): Report.Section => {
  const measured = measuresConfidence(losses) ? ", the teacher's mean confidence" : ""
  const told = needsTeacher(losses) ? `CAKLD with beta = ${confidence.toFixed(4)}${measured}.` : "Without teacher."
  return { _tag: "Text", title: "Losses", paragraphs: [told] }
}
