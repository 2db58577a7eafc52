/** Type-checks the examples of every README: each ```ts block is a module of its own. Exit 1 when one does not compile. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const folder = "build/readmes"
const readmes = ["README.md", ...readdirSync("packages").map((name) => join("packages", name, "README.md"))]

/** The ```ts blocks of a page, each after as many empty lines as stand before it, so that errors name the page's lines. */
const blocksOf = (page: string): readonly string[] =>
  [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
    (match) => "\n".repeat(page.slice(0, match.index).split("\n").length) + match[1]
  )

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
let examples = 0
const missing: string[] = []
for (const readme of readmes) {
  if (!existsSync(readme)) {
    missing.push(readme)
    continue
  }
  const blocks = blocksOf(readFileSync(readme, "utf8"))
  if (blocks.length === 0) missing.push(`${readme}: an example`)
  for (const [index, block] of blocks.entries()) {
    const name = `${readme.replace(/\.md$/, "").replace(/[/\\]/g, "-")}-${index + 1}.ts`
    writeFileSync(join(folder, name), `${block}\nexport {}\n`)
    examples++
  }
}
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({
    extends: "../../tsconfig.test.json",
    compilerOptions: { noUnusedLocals: false },
    include: ["*.ts"]
  })
)
const checked = spawnSync("npx", ["tsc", "-p", folder], { encoding: "utf8" })
process.stdout.write(checked.stdout)
for (const what of missing) console.error(`missing: ${what}`)
console.log(`${examples} examples of ${readmes.length} READMEs`)
process.exitCode = checked.status === 0 && missing.length === 0 ? 0 : 1
