/** A recipe as a module, for `speedq run recipeInCode.ts`: one stage of its own, made of the model's name, and nothing else. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Artefact, Codec, option, Recipe, Stage } from "../../src/index.ts"

const Counted = Artefact.make("counted", "a sum of steps", Codec.json(Schema.Struct({ sum: Schema.Number })))

const Count = Stage.define({
  name: "count",
  version: 1,
  config: Schema.Struct({
    steps: option(Schema.Int, 3, { description: "Numbers that are added.", unit: "steps" })
  }),
  gives: [Counted],
  begin: ({ steps }) =>
    Effect.succeed(
      Stage.program({
        steps,
        state: Codec.json(Schema.Struct({ sum: Schema.Number })),
        initial: Effect.succeed({ sum: 0 }),
        step: ({ sum }, done) => Effect.succeed({ state: { sum: sum + done }, metrics: { sum } }),
        finish: ({ sum }) => Effect.succeed({ output: { counted: { sum } } })
      })
    )
})

export const recipe = Recipe.make({ name: "in code", model: "models/none" }).pipe(Recipe.andThen(Count.stage({})))
