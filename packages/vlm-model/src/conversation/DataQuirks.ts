/** What the reference's data pipeline does that a careful one does not, each as a switch. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const off = Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))

export const DataQuirks = Schema.Struct({
  /** Collation hides every token of id 0 ("!" in the released tokenizer) from attention, as if it were padding. */
  maskTokenZero: off,
  /** A rejected record is replaced by a random one of its data set, at most this often (10 in the reference); 0 fails. */
  substitutions: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(0))
  ),
  /** Videos keep all their frames when the sequence is full, so that answers, or images, are cut off. */
  uncappedVideo: off,
  /** A missing `<image>` or `<video>` is put into the first turn even if that is the system turn, which then fails. */
  placeholderInFirstTurn: off,
  /** Text-only records carry a white tile of flag 0 through the vision tower. */
  textOnlyTile: off,
  /** Length estimates look at the number of characters, and count image tokens only when that number was seen before. */
  lengthByCharacters: off
})
export type DataQuirks = typeof DataQuirks.Type

/** None of them. */
export const carefulData: DataQuirks = {
  maskTokenZero: false,
  substitutions: 0,
  uncappedVideo: false,
  placeholderInFirstTurn: false,
  textOnlyTile: false,
  lengthByCharacters: false
}

/** All of them: the preset `compat: "reference"`. */
export const referenceData: DataQuirks = {
  maskTokenZero: true,
  substitutions: 10,
  uncappedVideo: true,
  placeholderInFirstTurn: true,
  textOnlyTile: true,
  lengthByCharacters: true
}
