/** Directories that have become empty. */
import { rmdir } from "node:fs/promises"
import { dirname, sep } from "node:path"
import * as Effect from "effect/Effect"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"

/** It holds something, or is gone. Some systems say EEXIST of a directory that is not empty. */
const stays = new Set(["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"])

/** Removes a directory if it is empty, and those above it as long as they are, up to `top`, which stays. */
export const removeEmpty = (directory: string, top: string): Effect.Effect<void, FileFailed> => {
  if (!directory.startsWith(top + sep)) return Effect.void
  return attemptOn(directory)("remove", () => rmdir(directory)).pipe(
    Effect.andThen(Effect.suspend(() => removeEmpty(dirname(directory), top))),
    Effect.catchIf(
      ({ code }) => stays.has(code),
      () => Effect.void
    )
  )
}
