/** Turns what the file system says into one clear, typed failure. */
import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { PlatformError } from "effect/PlatformError"
import { StorageFailed } from "../Errors.ts"

const reasons: { readonly [code: string]: StorageFailed["reason"] } = {
  ENOSPC: "disk-full",
  EDQUOT: "disk-full",
  EROFS: "not-permitted",
  EACCES: "not-permitted",
  EPERM: "not-permitted",
  ENOENT: "missing"
}

/** The system's code for what went wrong: ENOSPC, EACCES, ... */
const codeOf = (error: unknown): string => {
  if (error instanceof FileFailed) return error.code
  if (error instanceof PlatformError) return codeOf(error.reason.cause) || error.reason._tag
  return error instanceof Error && "code" in error ? String(error.code) : ""
}

/** A `StorageFailed` for anything that was raised while `doing` something with `path`. */
export const storageFailed = (doing: string, path: string, error: unknown): StorageFailed =>
  new StorageFailed({
    doing,
    path,
    reason: reasons[codeOf(error)] ?? "other",
    detail: error instanceof Error ? error.message : String(error)
  })

/** Replaces what the file system raised by a `StorageFailed` that says what was being done with which path. */
export const whileDoing =
  (doing: string, path: string) =>
  <A, R>(self: Effect.Effect<A, PlatformError | FileFailed, R>): Effect.Effect<A, StorageFailed, R> =>
    Effect.mapError(self, (error) => storageFailed(doing, path, error))

/** The same where other things than the file system can fail too; they stay as they are. */
export const whileStoring =
  (doing: string, path: string) =>
  <A, E, R>(self: Effect.Effect<A, E | FileFailed, R>) =>
    Effect.catchIf(
      self,
      (error): error is FileFailed => error instanceof FileFailed,
      (error) => Effect.fail(storageFailed(doing, path, error))
    )
