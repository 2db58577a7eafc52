/** Writes the recipe of the README as a file. */
import { writeFileSync } from "node:fs"
import { Recipe } from "speedq"
// The test writes it: the README's example, less the line that starts the run.
import { recipe } from "./readmeOnly.ts"

writeFileSync("readme.json", JSON.stringify(Recipe.toJson(recipe)))
