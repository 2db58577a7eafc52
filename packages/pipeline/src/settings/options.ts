/** Pieces that options of stages are made of. */
import { option } from "@speedq/formats"
import * as Schema from "effect/Schema"

/** A whole number above 0, or from 0. */
export const Count = Schema.Int.check(Schema.isGreaterThan(0))
export const CountOrNone = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A number above 0, or from 0. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
export const Rate = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** A part of a whole. */
export const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

/** What options that are left open mean. */
export const Compatibility = Schema.Literals(["careful", "reference"])

export const Compat = option(Compatibility, "careful", {
  description:
    "What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the reference quirk by quirk.",
  source: "the recipe's own `compat`, or else careful: docs/quirks.md"
})
