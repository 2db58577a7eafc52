/** What failed for want of code says which: the record of the run that is continued knows what it was made with. */
import { type RecipeInvalid, type RunRecord, readRunRecord, recipeModule, stagesInJson } from "@speedq/pipeline"
import { Extensions, inCode, knownStages, missingPlugins } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { PluginsMissing } from "../Errors.ts"
import { isModulePath } from "../modules/importModule.ts"
import { defaultDirectory, readJson } from "../recipes/loadRecipe.ts"
import { isDirectory } from "../recipes/recordOfRun.ts"
import { recipeFile } from "../shipped/shipped.ts"

const recordOf = (directory: string) =>
  Effect.map(
    Effect.orElseSucceed(readRunRecord(directory), () => Option.none<RunRecord>()),
    Option.getOrUndefined
  )

/** Fails with PluginsMissing in place of `error` where the run in `directory` was made with what is not given. */
export const orMissing = Effect.fnUntraced(function* <E extends { readonly message: string }>(
  directory: string,
  error: E,
  module?: string
) {
  const record = yield* recordOf(directory)
  const missing = record === undefined ? [] : missingPlugins(record.surroundings, yield* Extensions)
  if (missing.length === 0 && module === undefined) return yield* Effect.fail(error)
  const own = missing.find(({ name }) => name === inCode)
  return yield* new PluginsMissing({
    directory,
    plugins: missing.filter((each) => each !== own),
    ...(own === undefined ? {} : { inCode: own.brought }),
    ...(module === undefined ? {} : { module }),
    reason: error.message
  })
})

/** The module that the recipe of a run came from, where it has kinds of stages that are not known. */
const moduleWanted = Effect.fnUntraced(function* (directory: string) {
  const record = yield* recordOf(directory)
  if (record === undefined) return undefined
  const known = yield* knownStages
  const isKnown = stagesInJson(record.recipe).every(({ use }) => known.some(({ name }) => name === use))
  return isKnown ? undefined : record.surroundings[recipeModule]
})

/** The same for a recipe file that does not decode: its run is in `out`, or where its name puts it. */
export const recipeOrMissing = Effect.fnUntraced(function* (
  file: string,
  out: Option.Option<string>,
  error: RecipeInvalid
) {
  if (isModulePath(file)) return yield* Effect.fail(error)
  if (isDirectory(file)) return yield* orMissing(file, error, yield* moduleWanted(file))
  const json = yield* readJson(recipeFile(file))
  const name = typeof json === "object" && json !== null && "name" in json ? String(json.name) : ""
  return yield* orMissing(
    Option.getOrElse(out, () => defaultDirectory(name)),
    error
  )
})
