/** Recipes: composed in code with types that forbid a wrong order, or decoded from JSON; run in a run directory. */

export { decode, RecipeDocument, toJson } from "../recipe/recipeJson.ts"
export { type AnyRecipe, andThen, labelled, make, type Nothing, type Recipe } from "../recipe/recipeValue.ts"
export { type RunError, run } from "./runRecipe.ts"
