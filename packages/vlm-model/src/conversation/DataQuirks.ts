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
    "Puts a missing `<image>` or `<video>` into the first turn even if that is the system turn; the record then fails."
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
