/** A clock that only goes forward, for durations and intervals: the date may be set back while a run goes on. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment. */
export const monotonicMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanoseconds) =>
  Math.round(Number(nanoseconds) / 1e6)
)
