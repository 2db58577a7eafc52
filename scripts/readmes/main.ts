/**
 * Writes the examples of every README into build/readmes, where `npm run check` type-checks them with the tests: each ```ts block is a
 * module of its own. Exit 1 when a README or its example is missing.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { examplesOf } from "./examplesOf.ts"

const folder = "build/readmes"
const readmes = ["README.md", ...readdirSync("packages").map((name) => join("packages", name, "README.md"))]

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
let examples = 0
const missing: string[] = []
for (const readme of readmes) {
  if (!existsSync(readme)) {
    missing.push(readme)
    continue
  }
  const found = examplesOf(readme)
  if (found.length === 0) missing.push(`${readme}: an example`)
  for (const [index, { text, linesBefore }] of found.entries()) {
    const name = `${readme.replace(/\.md$/, "").replace(/[/\\]/g, "-")}-${index + 1}.ts`
    // After as many empty lines as the page has before it, so that errors name the page's lines.
    writeFileSync(join(folder, name), `${"\n".repeat(linesBefore)}${text}\nexport {}\n`)
    examples++
  }
}
for (const what of missing) console.error(`missing: ${what}`)
console.log(`${examples} examples of ${readmes.length} READMEs`)
process.exitCode = missing.length === 0 ? 0 : 1
