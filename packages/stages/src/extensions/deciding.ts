/** What a recipe names is looked up, and its options are read: whatever is wrong with it is one error. */
import * as Effect from "effect/Effect"
import { RulesInvalid, reasonOf } from "../Errors.ts"

/** Runs code that throws. Fails with RulesInvalid, which says the same. */
export const deciding = <A>(decide: () => A): Effect.Effect<A, RulesInvalid> =>
  Effect.try({
    try: decide,
    catch: (error) => new RulesInvalid({ reason: reasonOf(error) })
  })
