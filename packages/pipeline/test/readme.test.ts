/** The README's example is this package's real interface: it is compiled with the tests, and run here. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { temporaryDirectory } from "./support/toyProcess.ts"

const example = fileURLToPath(new URL("readme.example.ts", import.meta.url))
const readme = fileURLToPath(new URL("../README.md", import.meta.url))

it("the README's example is the file that is compiled, and it runs", () => {
  const [, code = ""] = readFileSync(readme, "utf8").match(/```ts\n([\s\S]*?)```/) ?? []
  assert.strictEqual(code, readFileSync(example, "utf8"))

  const directory = join(temporaryDirectory(), "mine")
  const args = ["--import", "tsx", "-C", "@speedq/source", example, directory]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
  assert.include(stderr, "01-halve: finished in")
  assert.isTrue(existsSync(join(directory, "report.html")))
})
