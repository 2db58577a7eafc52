/** Turns what the file system says into one clear, typed failure. */

import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import { StorageFailed } from "./Errors.ts"

const reasons: { readonly [code: string]: StorageFailed["reason"] } = {
  ENOSPC: "disk-full",
  EDQUOT: "disk-full",
  EROFS: "not-permitted",
  EACCES: "not-permitted",
  EPERM: "not-permitted",
  ENOENT: "missing"
}

const codeOf = (error: PlatformError | FileFailed): string => {
  if (error instanceof FileFailed) return error.code
  const { cause } = error.reason
  return cause instanceof Error && "code" in cause ? String(cause.code) : error.reason._tag
}

/** Replaces what the file system raised by a `StorageFailed` that says what was being done with which path. */
export const whileDoing =
  (doing: string, path: string) =>
  <A, R>(self: Effect.Effect<A, PlatformError | FileFailed, R>): Effect.Effect<A, StorageFailed, R> =>
    Effect.mapError(
      self,
      (error) => new StorageFailed({ doing, path, reason: reasons[codeOf(error)] ?? "other", detail: error.message })
    )
