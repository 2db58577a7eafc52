/** Pieces that options of stages are made of. */
import { withDefault } from "@speedq/formats"
import * as Schema from "effect/Schema"

/** A whole number above 0, or from 0. */
export const Count = Schema.Int.check(Schema.isGreaterThan(0))
export const CountOrNone = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A number above 0, or from 0. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
export const Rate = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** A part of a whole. */
export const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

/**
 * What becomes of options that a recipe leaves open: the careful choice, or what the reference does (docs/quirks.md).
 */
export const Compat = withDefault(Schema.Literals(["careful", "reference"]), "careful")
