/** Reads a recipe file, with the settings of the command line applied. */
import { basename, dirname, join } from "node:path"
import { nearest, parseJson, readText } from "@speedq/formats"
import { applyOverrides, directoryName, Recipe, type RecipeInvalid, type Stage } from "@speedq/pipeline"
import { knownStages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import { RecipeMissing, RecipeUnreadable, WrongUsage } from "../Errors.ts"
import { recipeFile, recipesIn, requireGenerated, shippedRecipeNames, withShippedPaths } from "../shipped/shipped.ts"

/** Recipes whose names are like the one that is not there: shipped ones by their names, those beside it and in ./configs by their paths. */
const nearRecipes = (file: string): readonly string[] => {
  const files = [...new Set([dirname(file), "configs"])].flatMap((directory) => {
    try {
      return recipesIn(directory).map((name) => join(directory, name))
    } catch {
      return [] // No such directory, no candidates.
    }
  })
  const shipped = shippedRecipeNames().map((name) => [name, name] as const)
  const names = new Map([...shipped, ...files.map((path) => [basename(path, ".json"), path] as const)])
  return nearest(basename(file, ".json"), [...names.keys()]).flatMap((name) => names.get(name) ?? [])
}

export const readJson = Effect.fnUntraced(function* (file: string) {
  const text = yield* readText(file).pipe(
    Effect.mapError(({ code, reason }) =>
      code === "ENOENT" ? new RecipeMissing({ file, near: nearRecipes(file) }) : new RecipeUnreadable({ file, reason })
    )
  )
  return yield* Effect.try({
    try: () => Schema.decodeUnknownSync(Schema.Json)(parseJson(text)),
    catch: (error) => new RecipeUnreadable({ file, reason: error instanceof Error ? error.message : String(error) })
  })
})

/** Settings of the command line, applied; what is wrong with them is wrong usage. */
export const applySettings = (
  json: Json,
  settings: readonly string[],
  help: string,
  kinds?: ReadonlyArray<Stage.Registered>
) =>
  Effect.flatMap(knownStages, (stages) => applyOverrides(kinds ?? stages, json, settings)).pipe(
    Effect.mapError(
      ({ problems }) => new WrongUsage({ problems: problems.map(({ path, issue }) => `${path}: ${issue}`), help })
    )
  )

/** A recipe ready to be planned or run. Fails with RecipeMissing, RecipeUnreadable, RecipeInvalid, and WrongUsage for a setting. */
export const loadRecipe = Effect.fn("loadRecipe")(function* (file: string, settings: readonly string[], help: string) {
  return yield* decodeRecipe(yield* readJson(recipeFile(file)), settings, help)
})

export const decodeRecipe = Effect.fnUntraced(function* (json: Json, settings: readonly string[], help: string) {
  const stages = yield* knownStages
  const decoded = (each: Json) => Effect.andThen(requireGenerated(each), Recipe.decode(stages, withShippedPaths(each)))
  const changed = yield* applySettings(json, settings, help)
  return yield* blamingSettings(decoded(changed), decoded(json), settings, help)
})

/** What decodes with settings: where it would without them, what is wrong is wrong usage. */
export const blamingSettings = <A, B, R>(
  withThem: Effect.Effect<A, RecipeInvalid, R>,
  without: Effect.Effect<B, RecipeInvalid, R>,
  settings: readonly string[],
  help: string
): Effect.Effect<A, RecipeInvalid | WrongUsage, R> =>
  Effect.catch(withThem, (error) => {
    if (settings.length === 0) return Effect.fail(error)
    const problems = error.problems.map(({ path, issue }) => `--set: ${path === "" ? "" : `${path}: `}${issue}`)
    return Effect.matchEffect(without, {
      onFailure: () => Effect.fail(error),
      onSuccess: () => Effect.fail(new WrongUsage({ problems, help }))
    })
  })

/** A recipe whose stages are known. */
export type KnownRecipe = Effect.Success<ReturnType<typeof decodeRecipe>>

/** Directory of a run that was given none. */
export const defaultDirectory = (name: string): string => join("runs", directoryName(name))
