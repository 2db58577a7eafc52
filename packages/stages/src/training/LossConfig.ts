/**
 * The option `loss` of training stages: which losses, how strong, over which rows (arXiv:2511.08914 §3; docs/method.md,
 * "Teacher confidence", "CAKLD" and "Cross entropy").
 */
import { nameOption, option, optionalOption } from "@speedq/formats"
import { type Compat, Count, Positive, Rate, Share } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

/** A loss besides ours, by its name, with its own options. */
const OtherLoss = Schema.Struct({
  use: nameOption(["cross-entropy", "cakld"], { description: "Name of the loss." }),
  factor: option(Rate, 1, {
    description: "How strong it is; 0 leaves it out.",
    source: "chosen here: the loss as it is"
  }),
  with: optionalOption(Schema.JsonObject, { description: "Options of the loss." })
})

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
  mask: optionalOption(Schema.Literals(["shifted", "unshifted", "all"]), {
    description:
      "Rows that the distillation loss looks at: `shifted` takes those that predict a label, `unshifted` those that carry one, `all` every row up to the last answer, so that what the teacher expects within prompts and pictures is learned, too.",
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
  }),
  hidden: optionalOption(Rate, {
    description:
      "Factor of the distance between the final hidden states of student and teacher: the mean of squared differences over the rows that predict an answer. 0 leaves it out.",
    source: "none: the paper has no such loss"
  }),
  others: optionalOption(Schema.Array(OtherLoss), {
    description:
      "Losses that plugins or extensions of the run bring, each by its name, with a factor and its own options; they are added to the two of ours.",
    source: "none"
  })
}).check(
  Schema.makeFilter(
    ({ crossEntropy, cakld, hidden = 0, others = [] }) =>
      crossEntropy + cakld + hidden > 0 ||
      others.some(({ factor }) => factor > 0) ||
      "crossEntropy and cakld are both 0: nothing would be learned"
  )
)
export type LossConfig = typeof LossConfig.Type

/** The same with nothing left open. */
export interface LossSettings extends Required<LossConfig> {}

export const decideLosses = (config: LossConfig, compat: typeof Compat.Type): LossSettings => ({
  mask: compat === "reference" ? "unshifted" : "shifted",
  confidenceRows: compat === "reference" ? "all" : "answers",
  confidenceMean: compat === "reference" ? "reference" : "exact",
  hidden: 0,
  others: [],
  ...config
})

/** Cross entropy of the labels, as they are, and no teacher. */
export const crossEntropyAlone: LossSettings = decideLosses(
  Schema.decodeSync(LossConfig)({ labelSmoothing: 0, cakld: 0 }),
  "careful"
)
