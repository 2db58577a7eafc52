/** A recipe in code: a module that exports one, with the settings of the command line applied. */
import { Recipe } from "@speedq/pipeline"
import { knownStages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { RecipeUnreadable } from "../Errors.ts"
import { importModule, whatIsExported } from "../modules/importModule.ts"
import { withShippedPaths } from "../shipped/shipped.ts"
import { applySettings, blamingSettings, type KnownRecipe } from "./loadRecipe.ts"

const isRecipe = (value: unknown): value is KnownRecipe =>
  typeof value === "object" && value !== null && "settings" in value && "stages" in value && Array.isArray(value.stages)

/**
 * The recipe that a module exports as `recipe`, or by default. With settings, its stages are made again by the kinds that they
 * are of. Runs the module's code. Fails with ModuleUnreadable, RecipeUnreadable, RecipeInvalid, and WrongUsage for a setting.
 */
export const loadModuleRecipe = Effect.fn("loadModuleRecipe")(function* (
  file: string,
  settings: readonly string[],
  help: string
) {
  const exports = yield* importModule(file)
  const recipe = exports["recipe"] ?? exports["default"]
  if (!isRecipe(recipe)) {
    return yield* new RecipeUnreadable({
      file,
      reason: `${whatIsExported(exports)}; write export const recipe = Recipe.make({ ... }).pipe(...)`
    })
  }
  if (settings.length === 0) return recipe
  const known = yield* knownStages
  const own = recipe.stages.map(({ kind }) => kind).filter(({ name }) => known.every((other) => other.name !== name))
  const kinds = [...known, ...new Map(own.map((kind) => [kind.name, kind])).values()]
  const json = yield* applySettings(Recipe.toJson(recipe), settings, help, kinds)
  return yield* blamingSettings(Recipe.decode(kinds, withShippedPaths(json)), Effect.void, settings, help)
})
