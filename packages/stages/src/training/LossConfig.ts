/** The losses of a training stage: which, how strong, over which rows (arXiv:2511.08914 §3; internvl3.md 6.9, 6.10). */
import { cakld, crossEntropy, meanConfidence, type RowLoss, weighted } from "@speedq/distillation"
import { withDefault } from "@speedq/formats"
import { type Compat, Count, Positive, Rate, type Report, Share } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

/** Factors and forms; a factor of 0 leaves a loss out, and the teacher with it. */
export const LossConfig = Schema.Struct({
  crossEntropy: withDefault(Rate, 1),
  labelSmoothing: withDefault(Share, 0.1),
  cakld: withDefault(Rate, 1),
  temperature: withDefault(Positive, 1),
  /** "shifted": rows that predict a label, the default. "unshifted": rows that carry one, as the reference masks (quirk 1). */
  mask: Schema.optionalKey(Schema.Literals(["shifted", "unshifted"])),
  reduction: withDefault(Schema.Literals(["sum", "mean"]), "sum"),
  /** Share of the reverse divergence; "teacher": its mean confidence over `confidenceBatches` micro-batches. */
  confidence: withDefault(Schema.Union([Schema.Literal("teacher"), Share]), "teacher"),
  confidenceBatches: withDefault(Count, 100),
  /** Rows the confidence is a mean over: "answers", those that predict one, the default, or "all", as in the reference. */
  confidenceRows: Schema.optionalKey(Schema.Literals(["answers", "all"])),
  /** "exact", the default: a mean. "reference": one batch more than `confidenceBatches`, divided by that number (quirk 2). */
  confidenceMean: Schema.optionalKey(Schema.Literals(["exact", "reference"]))
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
