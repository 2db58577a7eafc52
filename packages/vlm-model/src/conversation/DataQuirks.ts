/** What the reference's data pipeline does that a careful one does not, each as a switch. */
import { option } from "@speedq/formats"
import * as Schema from "effect/Schema"

const quirk = (source: string, description: string) => option(Schema.Boolean, false, { description, source })

export const DataQuirks = Schema.Struct({
  maskTokenZero: quirk(
    "docs/quirks.md#quirk-6",
    "Hides every token of id 0 (`!` in the released tokenizer) from attention, as if it were padding."
  ),
  substitutions: option(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), 0, {
    description:
      "Times that a rejected record is replaced by a random one of its data set before the stage fails; the reference tries 10 times.",
    unit: "records",
    source: "docs/quirks.md#quirk-8"
  }),
  uncappedVideo: quirk(
    "docs/quirks.md#quirk-9",
    "Videos keep all their frames when the sequence is full, so that answers or images are cut off."
  ),
  placeholderInFirstTurn: quirk(
    "docs/quirks.md#quirk-18",
    "Looks for `<image>` or `<video>` in the first turn alone, whoever speaks there, and puts it there when it is missing; in a system turn the record then fails."
  ),
  unmatchedPlaceholders: quirk(
    "docs/quirks.md#quirk-27",
    "Leaves an `<image>` or `<video>` without a picture as text, in answers too, and does not read `images`, `videos` and `messages`."
  ),
  controlTokensInText: quirk(
    "docs/quirks.md#quirk-28",
    "A control token that a record spells out, such as `<|im_end|>`, becomes that token."
  ),
  textOnlyTile: quirk(
    "docs/quirks.md#quirk-19",
    "Text-only records carry a white tile through the vision tower. Training leaves it out in any case: the result is the same."
  ),
  lengthByCharacters: quirk(
    "docs/quirks.md#quirk-20",
    "Estimates lengths by the number of characters, and counts image tokens only when that number was seen before."
  )
})
export type DataQuirks = typeof DataQuirks.Type

/** None of them. */
export const carefulData: DataQuirks = {
  maskTokenZero: false,
  substitutions: 0,
  uncappedVideo: false,
  placeholderInFirstTurn: false,
  unmatchedPlaceholders: false,
  controlTokensInText: false,
  textOnlyTile: false,
  lengthByCharacters: false
}

/** All of them: the preset `compat: "reference"`. */
export const referenceData: DataQuirks = {
  maskTokenZero: true,
  substitutions: 10,
  uncappedVideo: true,
  placeholderInFirstTurn: true,
  unmatchedPlaceholders: true,
  controlTokensInText: true,
  textOnlyTile: true,
  lengthByCharacters: true
}
