/** The part of a recipe that is not its stages. Only `seed` can change results; the model's bytes count by their fingerprint. */
import { option, optionalOption, requiredOption } from "@speedq/formats"
import * as Schema from "effect/Schema"
import { Count, Positive } from "./options.ts"

/** When a running stage saves its state. */
export const SavePolicy = Schema.Struct({
  everySteps: optionalOption(Count, { description: "Saves after so many steps.", unit: "steps" }),
  everySeconds: option(Positive, 300, {
    description: "Saves after so many seconds.",
    unit: "seconds",
    source: "chosen here: a stop without warning costs five minutes at most"
  })
})
export interface SavePolicy extends Schema.Schema.Type<typeof SavePolicy> {}

export const RecipeSettings = Schema.Struct({
  name: requiredOption(Schema.NonEmptyString, { description: "Name of the recipe, for run directories and reports." }),
  model: requiredOption(Schema.String, { description: "Directory of the model to start from." }),
  seed: option(Schema.Int, 42, {
    description: "Seed of everything that is drawn at random; each stage derives its own from it.",
    source: "the reference's scripts"
  }),
  save: option(
    SavePolicy,
    {},
    { description: "When a running stage saves its state: at whichever of these comes first.", policy: true }
  ),
  memory: optionalOption(
    Schema.Struct({
      limit: requiredOption(Schema.ByteSizeFromString, {
        description: "Most memory that a run may take, as in `4 GiB`.",
        unit: "bytes"
      })
    }),
    {
      description: "A run that would need more memory is refused before it starts.",
      source: "the machine's memory",
      policy: true
    }
  )
})
export interface RecipeSettings extends Schema.Schema.Type<typeof RecipeSettings> {}
