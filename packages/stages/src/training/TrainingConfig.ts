/** Options that training stages share; defaults are those of the paper's scripts (internvl3.md 6.11). */
import { option, withDefault } from "@speedq/formats"
import { Compat, Count, Rate, Share } from "@speedq/pipeline"
import { DataQuirks } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"

/** What is trained on. */
export const DataConfig = Schema.Struct({
  /** Meta file: data sets with root, annotation (JSONL) and repetition, their paths relative to the file's directory. */
  meta: Schema.NonEmptyString,
  /** Percentage of every data set; 0 takes everything in file order. */
  percent: withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })), 100),
  /** Tokens beyond are cut off. */
  maxLength: withDefault(Count, 8192),
  /** Tiles of an image; 6 in SPEED-Q. */
  maxTiles: withDefault(Count, 6),
  onError: option(Schema.Literals(["fail", "substitute"]), "fail", {
    description:
      "What a record that cannot be used does: end the stage, or be replaced by another one and counted in the report.",
    policy: true
  }),
  /** Departures from careful data handling; what is left out is as `compat` says. */
  quirks: Schema.optionalKey(DataQuirks)
})
export type DataConfig = typeof DataConfig.Type

/** How it is trained. */
export const OptimizationConfig = Schema.Struct({
  compat: Compat,
  epochs: withDefault(Count, 1),
  /** Ends earlier; the schedule is that of the steps that are made. */
  maxSteps: Schema.optionalKey(Count),
  /** Samples of a micro-batch, and micro-batches of a step; 8 GPUs x 1 x 8 in the scripts. */
  batch: withDefault(Count, 1),
  accumulation: withDefault(Count, 64),
  learningRate: withDefault(Rate, 8e-6),
  /** Share of the steps in which the rate rises; the rest is half a cosine down to 0. */
  warmupRatio: withDefault(Share, 0.03),
  weightDecay: withDefault(Rate, 0.01),
  /** What decays: everything, as in the reference (quirk 12), or matrices alone, which spares norms and biases. */
  decays: withDefault(Schema.Literals(["all", "matrices"]), "all"),
  beta1: withDefault(Rate, 0.9),
  beta2: withDefault(Rate, 0.999),
  epsilon: withDefault(Rate, 1e-8),
  /** Largest norm of all gradients together. */
  maxNorm: withDefault(Rate, 1),
  groupByLength: withDefault(Schema.Boolean, true),
  rematerialize: option(Schema.Union([Schema.Literal("auto"), Schema.Boolean]), "auto", {
    description:
      "Computes decoder layers again in the backward pass instead of keeping their inner values: less memory, a forward pass more, the same bits. `auto`: for micro-batches that would not fit otherwise.",
    policy: true
  }),
  /** Stochastic depth of the student's frozen vision tower, 0.1 under "reference" (quirk 7); none by default. */
  dropPath: Schema.optionalKey(Share),
  featureCache: option(Schema.ByteSizeFromString, "1 GiB", {
    description: "Memory for features of the frozen vision tower, kept for images that come again.",
    policy: true
  })
})
export type OptimizationConfig = typeof OptimizationConfig.Type

/** The stochastic depth that options mean. */
export const dropPathOf = ({ dropPath, compat }: OptimizationConfig): number =>
  dropPath ?? (compat === "reference" ? 0.1 : 0)
