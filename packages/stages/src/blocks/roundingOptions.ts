/** Options of stages that fit blocks; those of AdaRound have BRECQ's defaults (arXiv:2102.05426). */
import { brecqDefaults } from "@speedq/adaround"
import { option } from "@speedq/formats"
import { Count, CountOrNone, Positive, Rate, Share } from "@speedq/pipeline"
import * as Schema from "effect/Schema"

export const brecq = "BRECQ (arXiv:2102.05426)"

/** `samples` are what a mini-batch is made of: "tiles". */
export const roundingOptions = (samples: string) => ({
  iterations: option(CountOrNone, brecqDefaults.iterations, {
    description: "Iterations for each block. 0 rounds to nearest.",
    unit: "iterations",
    source: brecq
  }),
  batch: option(Count, brecqDefaults.batch, {
    description: `${samples[0]!.toUpperCase()}${samples.slice(1)} of one iteration.`,
    unit: samples,
    source: brecq
  }),
  learningRate: option(Positive, brecqDefaults.learningRate, {
    description: "Adam's learning rate for the rounding variables. Raise it when `iterations` is small.",
    source: brecq
  }),
  lambda: option(Rate, brecqDefaults.lambda, {
    description: "Weight of the term that pushes every rounding to 0 or 1.",
    source: brecq
  }),
  warmup: option(Share, brecqDefaults.warmup, {
    description: "Share of the iterations in which the rounding term of `lambda` is left out.",
    unit: "share of the iterations",
    source: brecq
  }),
  betaStart: option(Schema.Finite, brecqDefaults.betaStart, {
    description: "First exponent of the rounding term: a large one leaves undecided roundings alone.",
    source: brecq
  }),
  betaEnd: option(Schema.Finite, brecqDefaults.betaEnd, {
    description: "Last exponent of the rounding term, reached linearly: a small one decides every rounding.",
    source: brecq
  })
})

/** `method` as texts name it: "AdaRound". */
export const blockOptions = (method: string) => ({
  inputs: option(Schema.Literals(["asymmetric", "full-precision"]), "asymmetric", {
    description:
      "Inputs that a block is fitted on: those of the `asymmetric` model, whose earlier blocks are quantized already, or those of the full-precision model.",
    source: brecq
  }),
  worse: option(Schema.Literals(["nearest", "keep"]), "nearest", {
    description: `What becomes of a block whose error ${method} left larger than rounding to nearest does: it is rounded to \`nearest\`, with a warning; \`keep\` does not look.`,
    source: "docs/quirks.md#quirk-25"
  }),
  cache: option(Schema.ByteSizeFromString, "2 GiB", {
    description: "Memory for cached activations; what does not fit goes to files of the stage's directory.",
    unit: "bytes, as in 512 MiB",
    source: "chosen here for a laptop; results do not depend on it",
    policy: true
  })
})
