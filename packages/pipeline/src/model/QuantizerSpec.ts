/** A quantizer as recipes name it in JSON. */
import * as Schema from "effect/Schema"

/** `{ use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }` */
export const QuantizerSpec = Schema.Struct({
  use: Schema.NonEmptyString,
  with: Schema.optionalKey(Schema.JsonObject)
})
export type QuantizerSpec = typeof QuantizerSpec.Type

/** A rule of a recipe: which layers get which quantizer; the first match wins. */
export const RuleSpec = Schema.Struct({
  /** Glob over dotted names (`**.down_proj`) or /regex/. */
  match: Schema.NonEmptyString,
  tower: Schema.optionalKey(Schema.Literals(["vision", "projector", "language"])),
  /** "embedding" for embedding and head; default Linears. */
  layers: Schema.optionalKey(Schema.Literals(["linear", "embedding"])),
  use: Schema.NonEmptyString,
  with: Schema.optionalKey(Schema.JsonObject)
})
export type RuleSpec = typeof RuleSpec.Type
