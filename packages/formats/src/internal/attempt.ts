/** Bridges from functions that throw or reject to effects. */
import * as Effect from "effect/Effect"
import type { FileFailed } from "../Errors.ts"
import { fileFailed } from "./files.ts"

/** Runs a synchronous function; the errors that `isExpected` knows become failures, anything else is a defect. */
export const attempt = <A, E>(isExpected: (error: unknown) => error is E, call: () => A): Effect.Effect<A, E> =>
  Effect.try({
    try: call,
    catch: (error) => {
      if (isExpected(error)) return error
      throw error
    }
  })

/** Runs an asynchronous system call on `file`. */
export const attemptOn =
  (file: string) =>
  <A>(operation: string, call: () => Promise<A>): Effect.Effect<A, FileFailed> =>
    Effect.tryPromise({ try: call, catch: (error) => fileFailed(file, operation, error) })
