/** What functions that throw or reject raise, as typed failures. */
import * as Effect from "effect/Effect"
import { FileFailed } from "../Errors.ts"

/** What the system said of a file, as a typed failure. Anything that is no system error is thrown on: it is a defect. */
export const fileFailed = (file: string, operation: string, error: unknown): FileFailed => {
  if (error instanceof FileFailed) return error
  if (!(error instanceof Error) || !("code" in error)) throw error
  return new FileFailed({ file, operation, code: String(error.code), reason: error.message })
}

/** Runs a system call on `file`. Throws FileFailed. */
export const attemptFile = <A>(file: string, operation: string, call: () => A): A => {
  try {
    return call()
  } catch (error) {
    throw fileFailed(file, operation, error)
  }
}

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
