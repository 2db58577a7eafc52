/** A moment, in words that a date can be read of. */
import * as Schema from "effect/Schema"

/** @example "2026-01-01T00:00:00.000Z" */
export const Timestamp = Schema.String.check(
  Schema.makeFilter((text) => Number.isFinite(Date.parse(text)) || `${JSON.stringify(text.slice(0, 40))} is no date`)
)
