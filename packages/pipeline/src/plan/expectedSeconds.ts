/** How long each stage of a run will take, found before the first one, so that the time left of all of it can be told. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Forecast from "../stage/Forecast.ts"
import type { Plan } from "./Preflight.ts"

/**
 * Whether a run times pieces of its stages' work before it begins, which takes a second or two: a plan always does. Undefined leaves it
 * to whoever starts the run; by itself, a run does not.
 */
export const FindsTimes = Context.Reference<boolean | undefined>("@speedq/pipeline/FindsTimes", {
  defaultValue: () => undefined
})

/** Expected seconds of each stage in order, undefined where unknown. Nothing is timed where every stage is finished. */
export const expectedSeconds = Effect.fn("expectedSeconds")(function* ({ stages }: Plan) {
  const isTimed = (yield* FindsTimes) === true && stages.some(({ finished }) => !finished)
  return yield* Effect.forEach(stages, ({ forecast }) =>
    Effect.map(isTimed ? Forecast.timed(forecast) : Effect.succeed(forecast), ({ seconds }) => seconds)
  )
})
