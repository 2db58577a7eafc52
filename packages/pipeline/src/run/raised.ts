/** Errors that code raises on purpose, by throwing: they carry a tag, and their message says everything. */
import * as Effect from "effect/Effect"

export const isRaised = (error: unknown): error is Error & { readonly _tag: string } =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string"

/** The same effect, failing with what was thrown in it on purpose. Any other defect is a mistake of the program and stays one. */
export const failingWithRaised = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  // What is raised is told by its message alone, so it needs no place in the type.
  Effect.catchDefect(effect, (error) => (isRaised(error) ? Effect.fail(error as never) : Effect.die(error)))
