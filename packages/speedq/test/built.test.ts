import { copyFileSync, mkdirSync } from "node:fs"
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
