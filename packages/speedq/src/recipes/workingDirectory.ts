/** Where relative paths of a run's recipe count from: a run is continued from anywhere. */
import { existsSync, realpathSync } from "node:fs"
import { resolve } from "node:path"
import { type FileFailed, fileFailed } from "@speedq/formats"
import type { RunRecord } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { remark } from "../command/output.ts"

/**
 * The directory in which the run in `directory` was begun or last continued. It is the current one where the record does not say it, as
 * those of older runs, and where the model is not found from there: such a run was moved by itself.
 */
export const workingDirectoryOf = (directory: string, { workingDirectory, recipe }: RunRecord): string => {
  const here = process.cwd()
  if (workingDirectory === undefined) return here
  const home = resolve(realpathSync(directory), workingDirectory)
  const model = typeof recipe === "object" && recipe !== null && "model" in recipe ? recipe.model : undefined
  return typeof model === "string" && existsSync(resolve(home, model)) ? home : here
}

/** Goes there for the life of the scope, and says so. Fails with FileFailed where the process may not. */
export const enterWorkingDirectory = (
  directory: string,
  record: RunRecord
): Effect.Effect<void, FileFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const [here, home] = [process.cwd(), workingDirectoryOf(directory, record)]
    if (home === here) return
    const enter = Effect.try({
      try: () => process.chdir(home),
      catch: (error) => fileFailed(home, "work in", error)
    })
    yield* Effect.acquireRelease(enter, () => Effect.sync(() => process.chdir(here)))
    yield* remark(`relative paths count from ${home}, where the run was begun`)
  })
