/** Writes the recipe of the README as a file. */
import { writeFileSync } from "node:fs"
import { Recipe } from "@speedq/pipeline"
// The test copies the README's example beside this file.
import { recipe } from "./readme.ts"

writeFileSync("readme.json", JSON.stringify(Recipe.toJson(recipe)))
