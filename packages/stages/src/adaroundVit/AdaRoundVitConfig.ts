/** Options of stage 1; defaults are BRECQ's (adaround.md). */
import { brecqDefaults } from "@speedq/adaround"
import { option, withDefault } from "@speedq/formats"
import { Compat, Count, CountOrNone, Positive, Rate, Share } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import * as Schema from "effect/Schema"

export const AdaRoundVitConfig = Schema.Struct({
  compat: Compat,
  /** Directory of calibration images, or a text file that lists them. */
  images: Schema.NonEmptyString,
  /** Tiles that are used, 1024 in BRECQ, and tiles of an image at most. */
  count: withDefault(Count, 1024),
  maxTiles: withDefault(Count, 1),
  /** Quantizers of the tower's Linears; grids only (bilevel, uniform). */
  quantizers: RuleList,
  /** Iterations a block; 0 rounds to nearest. */
  iterations: withDefault(CountOrNone, brecqDefaults.iterations),
  batch: withDefault(Count, brecqDefaults.batch),
  learningRate: withDefault(Positive, brecqDefaults.learningRate),
  lambda: withDefault(Rate, brecqDefaults.lambda),
  warmup: withDefault(Share, brecqDefaults.warmup),
  betaStart: withDefault(Schema.Finite, brecqDefaults.betaStart),
  betaEnd: withDefault(Schema.Finite, brecqDefaults.betaEnd),
  inputs: withDefault(Schema.Literals(["asymmetric", "full-precision"]), "asymmetric"),
  /** A block whose error AdaRound left larger than rounding to nearest is rounded to nearest, with a warning; "keep" does not look. */
  worse: withDefault(Schema.Literals(["nearest", "keep"]), "nearest"),
  cache: option(Schema.ByteSizeFromString, "2 GiB", {
    description: "Memory for cached activations; what does not fit is in files of the stage's directory.",
    policy: true
  })
})
export type AdaRoundVitConfig = typeof AdaRoundVitConfig.Type
