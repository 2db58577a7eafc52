/** Options of stage 1; defaults are BRECQ's (arXiv:2102.05426). */
import { laterOption, option, optionalOption, requiredOption } from "@speedq/formats"
import { Compat, Count } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import * as Schema from "effect/Schema"
import { blockOptions, brecq, roundingOptions } from "../blocks/roundingOptions.ts"
import { PictureConfig } from "../data/pictureLimits.ts"

export const AdaRoundVitConfig = Schema.Struct({
  compat: Compat,
  images: requiredOption(Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]), {
    description:
      "Where calibration images are drawn from, with the recipe's seed: a directory, a text file that lists images, or the JSON meta file of a training mixture; or several of them, as one pool."
  }),
  count: option(Count, 1024, {
    description: "Tiles of calibration images that are used. More cost memory, disk and time.",
    unit: "tiles",
    source: brecq
  }),
  maxTiles: option(Count, 6, {
    description:
      "Most tiles that one image is cut into, besides its thumbnail. A data set of a mixture may have its own number. 1 shows each image as one tile, resized.",
    unit: "tiles",
    source: "the crops and the thumbnail that the model sees in training"
  }),
  weighting: option(Schema.Literals(["none", "fisher"]), "none", {
    description:
      "How errors of a block's output count: all alike, or by `fisher`: by the gradient of the full-precision model's answer there. Fisher weights cost a forward and a backward pass of the whole model for each tile and block.",
    source: "none is BRECQ's plain error (arXiv:2102.05426); no gain of Fisher weights is measured yet"
  }),
  reading: optionalOption(PictureConfig, {
    description: "How pictures are read: files that are cut off, and the largest size.",
    source: "careful, or the reference's under `compat` reference",
    // In the fingerprint: another way to read pictures is other data.
    policy: true
  }),
  onError: option(Schema.Literals(["fail", "substitute"]), "fail", {
    description:
      "What a calibration image that cannot be used does: `fail` ends the stage and names the file, `substitute` draws another one and names it in the report.",
    source: "as the option of training data: docs/quirks.md#quirk-8",
    policy: true
  }),
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the vision tower's Linears their quantizers; the first that matches decides. AdaRound works with `bilevel` and `uniform`."
  }),
  ...roundingOptions("tiles"),
  shards: laterOption(Count, 1, {
    description:
      "Parts that the tiles of an iteration are cut into, one after the other. Each part's gradients are summed by themselves, and these sums then one after the other: another number of parts gives slightly other numbers. With `asymmetric` inputs parts may be computed by several processes, to the same bits as by one.",
    unit: "parts of an iteration",
    source: "1, one sum over all tiles; docs/cluster.md"
  }),
  ...blockOptions("AdaRound")
})
export type AdaRoundVitConfig = typeof AdaRoundVitConfig.Type
