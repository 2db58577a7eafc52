/** The part of a recipe that is not its stages. Only `seed` can change results; the model's bytes count by their fingerprint. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Positive = Schema.Finite.check(Schema.isGreaterThan(0))

/** When a running stage saves its state: every so many steps, every so many seconds, whichever comes first. */
export const SavePolicy = Schema.Struct({
  everySteps: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  everySeconds: Positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(300)))
})
export interface SavePolicy extends Schema.Schema.Type<typeof SavePolicy> {}

export const RecipeSettings = Schema.Struct({
  name: Schema.NonEmptyString,
  /** Directory of the model to start from. */
  model: Schema.String,
  seed: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(42))),
  save: SavePolicy.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  /** `{ "limit": "4 GiB" }`: a run that would need more is refused. Without it, the machine's memory is the limit. */
  memory: Schema.optionalKey(Schema.Struct({ limit: Schema.ByteSizeFromString }))
})
export interface RecipeSettings extends Schema.Schema.Type<typeof RecipeSettings> {}
