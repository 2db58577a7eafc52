/** Options of how pictures are read: what becomes of a file that is cut off, and how large a picture may be. */
import { optionalOption } from "@speedq/formats"
import { type Compat, Count } from "@speedq/pipeline"
import { defaultMaxPixels, type PictureLimits, referencePictures } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"

export const PictureConfig = Schema.Struct({
  truncated: optionalOption(Schema.Literals(["load", "reject"]), {
    description:
      "What a picture does whose pixels are cut off or damaged: `reject` refuses the file, `load` keeps what can be decoded of a JPEG, PNG, GIF or BMP and fills the rest as Pillow does.",
    source: "reject, or load under `compat` reference: docs/quirks.md#quirk-26"
  }),
  maxPixels: optionalOption(Count, {
    description:
      "Pictures and frames of videos with more pixels are refused: they are more likely an attack than a picture. So are records whose pictures have more together. A picture of 400 megapixels takes 1.2 GB while it is prepared.",
    unit: "pixels",
    source: "178956970, Pillow's limit, or no limit under `compat` reference: docs/quirks.md#quirk-26"
  })
})
export type PictureConfig = typeof PictureConfig.Type

/** The limits that options mean. */
export const pictureLimits = (given: PictureConfig | undefined, compat: typeof Compat.Type): PictureLimits => ({
  ...(compat === "reference" ? referencePictures : {}),
  ...given
})

/** Limits with every default, as they are kept in files; no limit of pixels is null. */
export const KeptLimits = Schema.Struct({
  truncated: Schema.Literals(["load", "reject"]),
  maxPixels: Schema.NullOr(Schema.Number)
})
type KeptLimits = typeof KeptLimits.Type

export const keptLimits = ({ truncated = "reject", maxPixels = defaultMaxPixels }: PictureLimits): KeptLimits => ({
  truncated,
  maxPixels: Number.isFinite(maxPixels) ? maxPixels : null
})

/** Whether every picture that `before` let be read is read in the same way now, and others may be, too. */
export const areWider = (now: KeptLimits, before: KeptLimits): boolean =>
  (now.truncated === "load" || before.truncated === "reject") &&
  (now.maxPixels ?? Number.POSITIVE_INFINITY) >= (before.maxPixels ?? Number.POSITIVE_INFINITY)
