/** What a run does before each stage, for whoever owns something that stages share: a backend gives back its free memory here. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export const BetweenStages = Context.Reference<Effect.Effect<void>>("@speedq/pipeline/BetweenStages", {
  defaultValue: () => Effect.void
})
