/** Options of how pictures are read: what becomes of a file that is cut off, and how large a picture may be. */
import { optionalOption } from "@speedq/formats"
import { type Compat, Count } from "@speedq/pipeline"
import { type PictureLimits, referencePictures } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"

export const PictureConfig = Schema.Struct({
  truncated: optionalOption(Schema.Literals(["load", "reject"]), {
    description:
      "What a picture does whose pixels are cut off or damaged: `reject` refuses the file, `load` keeps what can be decoded of a JPEG, PNG, GIF or BMP and fills the rest as Pillow does.",
    source: "reject, or load under `compat` reference: docs/quirks.md#quirk-26"
  }),
  maxPixels: optionalOption(Count, {
    description:
      "Pictures and frames of videos with more pixels are refused: they are more likely an attack than a picture. A picture of 400 megapixels takes 1.2 GB while it is prepared.",
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
