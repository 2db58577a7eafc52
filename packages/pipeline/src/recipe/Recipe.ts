/** Recipes: composed in code with types that forbid a wrong order, or decoded from JSON; run in a run directory. */

export { type RunError, run } from "../run/runRecipe.ts"
export { decode, RecipeDocument, toJson } from "./recipeJson.ts"
export { type AnyRecipe, andThen, labelled, make, type Nothing, type Recipe } from "./recipeValue.ts"
