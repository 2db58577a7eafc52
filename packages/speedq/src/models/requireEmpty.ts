/** A directory for something new: what is in one already is not overwritten, but for what a killed process left half done. */
import { readdir } from "node:fs/promises"
import { Staging } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { OutputExists } from "../Errors.ts"

/** Fails with OutputExists where `directory` holds anything that a killed `export` or `init` did not leave; with FileFailed. */
export const requireEmpty = Effect.fnUntraced(function* (directory: string) {
  yield* Staging.removeUnfinished(directory)
  const found = yield* Effect.promise(() => readdir(directory).catch(() => []))
  if (found.length > 0) return yield* new OutputExists({ directory, found })
})
