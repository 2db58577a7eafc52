import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { Answered } from "../src/models/ask.ts"
import { root, runNode, temporaryDirectory } from "./support/speedq.ts"

const bin = join(root, "packages", "speedq", "bin", "speedq.js")

describe("the built command", () => {
  it("works from any directory", async () => {
    const cwd = temporaryDirectory()
    const made = await runNode([bin, "init", "--config", "nano", "--seed", "2", "--out", "model"], { cwd })
    assert.strictEqual(made.code, 0, `${made.stderr}; is it built? npm run build`)
    const chat = ["chat", "model", "hello", "--max-new-tokens", "3", "--backend", "native:none", "--json"]
    const { code, stdout, stderr } = await runNode([bin, ...chat], { cwd })
    assert.strictEqual(code, 0, stderr)
    assert.match((JSON.parse(stdout) as Answered).backend, /^native \(WebAssembly/)
  })

  it("says what the system refuses while it is loaded, without a stack", async () => {
    const directory = temporaryDirectory()
    for (const name of ["bin", "dist/bin"]) mkdirSync(join(directory, name), { recursive: true })
    copyFileSync(bin, join(directory, "bin", "speedq.mjs"))
    const main = `throw Object.assign(new Error("EMFILE: too many open files, open 'x.js'"), { code: "EMFILE" })`
    writeFileSync(join(directory, "dist", "bin", "main.js"), main)
    const { code, stderr } = await runNode([join(directory, "bin", "speedq.mjs")])
    assert.strictEqual(code, 1)
    const told = "error: speedq cannot be loaded: EMFILE: too many open files, open 'x.js'"
    assert.strictEqual(stderr, `${told}; raise the limit of open files ("ulimit -n 1024")\n`)
  })

  it("says so when it is not built", async () => {
    const directory = join(temporaryDirectory(), "bin")
    mkdirSync(directory)
    copyFileSync(bin, join(directory, "speedq.mjs"))
    const { code, stdout, stderr } = await runNode([join(directory, "speedq.mjs")])
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.strictEqual(stderr, "error: speedq is not built; run npm run build\n")
  })
})
