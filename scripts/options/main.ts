/**
 * Writes what is made from the annotations of options: the interfaces that stages and quantizers take, the JSON Schema
 * of recipes, and docs/options.md.
 *   node --import tsx -C @speedq/source scripts/options/main.ts [--check]
 * With --check nothing is written; exit 1 with a line for each file that is out of date.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { interfaceFiles } from "./interfaces.ts"
import { optionsPage } from "./page.ts"
import { recipeSchema } from "./recipeSchema.ts"

const files = new Map([
  ...interfaceFiles(),
  ["configs/recipe.schema.json", JSON.stringify(recipeSchema)],
  ["docs/options.md", optionsPage()]
])

/** As the formatter lays it out; pages it leaves alone. */
const formatted = (file: string, text: string): string =>
  file.endsWith(".md")
    ? text
    : execFileSync("node_modules/.bin/biome", ["format", `--stdin-file-path=${file}`], {
        input: text,
        encoding: "utf8"
      })

const check = process.argv.includes("--check")
for (const [file, text] of files) {
  const wanted = formatted(file, text)
  if (existsSync(file) && readFileSync(file, "utf8") === wanted) continue
  if (check) {
    console.error(`${file} is out of date: run npm run options`)
    process.exitCode = 1
  } else writeFileSync(file, wanted)
}
