/** What failed for want of a plugin says which: the record of the run that is continued knows what it was made with. */
import { type RecipeInvalid, readRunRecord } from "@speedq/pipeline"
import { Extensions, missingPlugins } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { PluginsMissing } from "../Errors.ts"
import { isModulePath } from "../modules/importModule.ts"
import { defaultDirectory, readJson } from "../recipes/loadRecipe.ts"
import { isDirectory } from "../recipes/recipeOfRun.ts"
import { recipeFile } from "../shipped/shipped.ts"

/** Fails with PluginsMissing in place of `error` where the run in `directory` was made with plugins that are not given. */
export const orMissing = Effect.fnUntraced(function* <E extends { readonly message: string }>(
  directory: string,
  error: E
) {
  const record = Option.getOrUndefined(yield* Effect.orElseSucceed(readRunRecord(directory), () => Option.none()))
  const missing = record === undefined ? [] : missingPlugins(record.surroundings, yield* Extensions)
  if (missing.length === 0) return yield* Effect.fail(error)
  return yield* new PluginsMissing({ directory, plugins: missing, reason: error.message })
})

/** The same for a recipe file that does not decode: its run is in `out`, or where its name puts it. */
export const recipeOrMissing = Effect.fnUntraced(function* (
  file: string,
  out: Option.Option<string>,
  error: RecipeInvalid
) {
  if (isModulePath(file)) return yield* Effect.fail(error)
  if (isDirectory(file)) return yield* orMissing(file, error)
  const json = yield* readJson(recipeFile(file))
  const name = typeof json === "object" && json !== null && "name" in json ? String(json.name) : ""
  return yield* orMissing(
    Option.getOrElse(out, () => defaultDirectory(name)),
    error
  )
})
