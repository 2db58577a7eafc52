/** Turns what the file system says into one clear, typed failure. */
import { FileFailed, makeDirectories, refusalOf } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { PlatformError } from "effect/PlatformError"
import { SavedFileDamaged, StorageFailed } from "../Errors.ts"

/** The system's code for what went wrong: ENOSPC, EACCES, ... */
export const codeOf = (error: unknown): string => {
  if (error instanceof FileFailed) return error.code
  if (error instanceof PlatformError) return codeOf(error.reason.cause) || error.reason._tag
  return error instanceof Error && "code" in error ? String(error.code) : ""
}

/** What the system said, without the names that a library puts around it. */
const saidBy = (error: unknown): string => {
  if (error instanceof PlatformError && error.reason.cause !== undefined) return saidBy(error.reason.cause)
  if (error instanceof FileFailed) return error.reason
  return error instanceof Error ? error.message : String(error)
}

/** Why the file system refused. */
const reasonOf = (code: string): StorageFailed["reason"] =>
  code === "ENOENT" ? "missing" : (refusalOf(code) ?? "other")

/** A `StorageFailed` for anything that was raised while `doing` something with `path`. */
export const storageFailed = (doing: string, path: string, error: unknown): StorageFailed =>
  new StorageFailed({
    doing,
    path,
    reason: reasonOf(codeOf(error)),
    detail: saidBy(error)
  })

/** Replaces what the file system raised by a `StorageFailed` that says what was being done with which path. */
export const whileDoing =
  (doing: string, path: string) =>
  <A, R>(self: Effect.Effect<A, PlatformError | FileFailed, R>): Effect.Effect<A, StorageFailed, R> =>
    Effect.mapError(self, (error) => storageFailed(doing, path, error))

/** Makes a directory and those above it. */
export const madeDirectory = (directory: string): Effect.Effect<void, FileFailed> =>
  Effect.tryPromise({
    try: () => makeDirectories(directory),
    catch: (error) => {
      const reason = saidBy(error)
      return new FileFailed({ file: directory, operation: "create", code: codeOf(error), reason })
    }
  })

/** The same where other things than the file system can fail too; they stay as they are. */
export const whileStoring =
  (doing: string, path: string) =>
  <A, E, R>(self: Effect.Effect<A, E | FileFailed, R>) =>
    Effect.catchIf(
      self,
      (error): error is FileFailed => error instanceof FileFailed,
      (error) => Effect.fail(storageFailed(doing, path, error))
    )

const missing = new Set(["ENOENT", "ENOTDIR", "NotFound"])

/**
 * What an error in reading a saved file means. The file system may refuse for a reason that says nothing about the file (EACCES, EIO,
 * EMFILE): that is a StorageFailed, and the file stays. Anything else, and a file that is gone, is a SavedFileDamaged.
 */
export const readingFault = (file: string, error: unknown): SavedFileDamaged | StorageFailed => {
  if (error instanceof SavedFileDamaged || error instanceof StorageFailed) return error
  const code = error instanceof FileFailed || error instanceof PlatformError ? codeOf(error) : undefined
  if (code !== undefined && !missing.has(code)) return storageFailed("read what was saved", file, error)
  if (code !== undefined) return new SavedFileDamaged({ file, detail: "it is not there" })
  return new SavedFileDamaged({ file, detail: saidBy(error) })
}

/** Whether a failure says that a saved file is not what was written. */
export const isDamage = (error: unknown): error is SavedFileDamaged => error instanceof SavedFileDamaged

/** None where what is read is damaged; that it cannot be read remains a failure. */
export const unlessDamaged = <A, E, R>(
  self: Effect.Effect<A, E | SavedFileDamaged, R>
): Effect.Effect<Option.Option<A>, Exclude<E, SavedFileDamaged>, R> =>
  Effect.map(self, Option.some).pipe(
    Effect.catch((error) =>
      isDamage(error) ? Effect.succeed(Option.none<A>()) : Effect.fail(error as Exclude<E, SavedFileDamaged>)
    )
  )
