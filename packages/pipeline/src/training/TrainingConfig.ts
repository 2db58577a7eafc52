/** Options that training stages share; defaults are those of the paper's scripts (internvl3.md 6.11). */
import { DataQuirks } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const Rate = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** What is trained on. */
export const DataConfig = Schema.Struct({
  /** Meta file: data sets with root, annotation (JSONL) and repetition. */
  meta: Schema.NonEmptyString,
  /** Percentage of every data set; 0 takes everything in file order. */
  percent: withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })), 100),
  /** Tokens beyond are cut off. */
  maxLength: withDefault(Count, 8192),
  /** Tiles of an image; 6 in SPEED-Q. */
  maxTiles: withDefault(Count, 6),
  /** What a record that cannot be used does: end the stage, or be replaced by another one and counted in the report. */
  onError: withDefault(Schema.Literals(["fail", "substitute"]), "fail"),
  quirks: withDefault(DataQuirks, {})
})
export type DataConfig = typeof DataConfig.Type

/** How it is trained. */
export const OptimizationConfig = Schema.Struct({
  epochs: withDefault(Count, 1),
  /** Ends earlier; the schedule is that of the steps that are made. */
  maxSteps: Schema.optionalKey(Count),
  /** Samples of a micro-batch, and micro-batches of a step; 8 GPUs x 1 x 8 in the scripts. */
  batch: withDefault(Count, 1),
  accumulation: withDefault(Count, 64),
  learningRate: withDefault(Rate, 8e-6),
  /** Share of the steps in which the rate rises; the rest is half a cosine down to 0. */
  warmupRatio: withDefault(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })), 0.03),
  weightDecay: withDefault(Rate, 0.01),
  beta1: withDefault(Rate, 0.9),
  beta2: withDefault(Rate, 0.999),
  epsilon: withDefault(Rate, 1e-8),
  /** Largest norm of all gradients together. */
  maxNorm: withDefault(Rate, 1),
  groupByLength: withDefault(Schema.Boolean, true),
  /** Memory for features of the frozen vision tower, kept for samples that come again. */
  featureCache: withDefault(Schema.ByteSizeFromString, "1 GiB")
})
export type OptimizationConfig = typeof OptimizationConfig.Type
