/** One record of an annotation file: a conversation and what it shows. Other keys are ignored. */
import * as Schema from "effect/Schema"

export const ConversationRecord = Schema.Struct({
  conversations: Schema.NonEmptyArray(
    Schema.Struct({ from: Schema.Literals(["system", "human", "gpt"]), value: Schema.String })
  ),
  /** A path, or several; relative to the data set's root. */
  image: Schema.optionalKey(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
  video: Schema.optionalKey(Schema.NullOr(Schema.String)),
  /** Start and end in seconds. */
  clip: Schema.optionalKey(Schema.NullOr(Schema.Tuple([Schema.Finite, Schema.Finite]))),
  /** Token count, for grouping by length only. */
  length: Schema.optionalKey(Schema.NullOr(Schema.Int))
})
export type ConversationRecord = typeof ConversationRecord.Type

/** What a record shows. A list of images, even of one, is handled otherwise than a single image. */
export type Shown =
  | { readonly kind: "image"; readonly path: string }
  | { readonly kind: "images"; readonly paths: ReadonlyArray<string> }
  | { readonly kind: "video"; readonly path: string }
  | { readonly kind: "text" }

export const shownBy = ({ image, video }: ConversationRecord): Shown => {
  if (image !== undefined && image.length > 0) {
    return typeof image === "string" ? { kind: "image", path: image } : { kind: "images", paths: image }
  }
  return video ? { kind: "video", path: video } : { kind: "text" }
}
