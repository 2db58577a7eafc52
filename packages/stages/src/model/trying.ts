import * as Effect from "effect/Effect"

/** Runs code that throws. Fails with what it throws; what is no Error becomes the message of one. */
export const trying = <A>(work: () => A): Effect.Effect<A, Error> =>
  Effect.try({ try: work, catch: (error) => (error instanceof Error ? error : new Error(String(error))) })
