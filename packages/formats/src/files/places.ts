/** Places of files, and which are there: on a disk, or among what a page was given. */

import * as Effect from "effect/Effect"
import { existsSync, readdir } from "#system/files"
import { join } from "#system/paths"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"

/** The path of a file in a directory. */
export const pathIn = (directory: string, name: string): string => join(directory, name)

export const isThere = (path: string): boolean => existsSync(path)

/** Names of what is in a directory, in order. */
export const namesIn = (directory: string): Effect.Effect<readonly string[], FileFailed> =>
  attemptOn(directory)("list", () => readdir(directory)).pipe(Effect.map((names) => names.sort()))
