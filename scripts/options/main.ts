/**
 * Writes what is made from the annotations of options: the interfaces that stages and quantizers take, docs/options.md and
 * the JSON Schema of recipes.
 *   node --import tsx -C @speedq/source scripts/options/main.ts [--check]
 * With --check nothing is written; exit 1 with a line for each file that is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { interfaceFiles } from "./interfaces.ts"

const check = process.argv.includes("--check")
for (const [file, text] of interfaceFiles()) {
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue
  if (check) {
    console.error(`${file} is out of date: run npm run options`)
    process.exitCode = 1
  } else writeFileSync(file, text)
}
