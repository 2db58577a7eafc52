/** Options of stages that fit the vision tower block by block: the images that calibrate, and what quantizes. */
import { option, optionalOption, requiredOption } from "@speedq/formats"
import { Compat, Count } from "@speedq/pipeline"
import { RuleList } from "@speedq/quantizers"
import * as Schema from "effect/Schema"
import { PictureConfig } from "../data/pictureLimits.ts"
import { brecq } from "./roundingOptions.ts"

/** `method` as texts name it: "AdaRound". */
export const visionOptions = (method: string) => ({
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
    description: `Rules that give the vision tower's Linears their quantizers; the first that matches decides. ${method} works with \`bilevel\` and \`uniform\`.`
  })
})
