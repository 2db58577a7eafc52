/** What tells a person's module from another one. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { moduleDigest } from "../src/modules/moduleDigest.ts"
import { temporaryDirectory } from "./support/speedq.ts"

describe("moduleDigest", () => {
  it("is the same elsewhere, and another when the file changes or one that it imports", () => {
    const directory = join(temporaryDirectory(), "one")
    mkdirSync(join(directory, "parts"), { recursive: true })
    const write = (file: string, text: string) => writeFileSync(join(directory, file), text)
    const main = 'import { half } from "./parts/half.js"\nexport { third } from "./parts/third"\nimport "effect"\n'
    write("plugin.ts", main)
    write("parts/half.ts", 'export const half = 2\nconst own = await import("../own.mjs")\n')
    write("parts/third.ts", 'export * from "../plugin.ts"\n')
    write("own.mjs", "export const own = 1\n")
    write("other.ts", "not of it")
    const file = join(directory, "plugin.ts")
    const before = moduleDigest(file)
    assert.match(before, /^[0-9a-f]{8}$/)
    const copy = join(directory, "..", "two")
    cpSync(directory, copy, { recursive: true })
    assert.strictEqual(moduleDigest(join(copy, "plugin.ts")), before)
    write("other.ts", "changed")
    assert.strictEqual(moduleDigest(file), before)
    const digests = ["own.mjs", "parts/third.ts", "parts/half.ts", "plugin.ts"].map((each) => {
      write(each, `${each === "plugin.ts" ? main : ""}export const changed = 1\n`)
      return moduleDigest(file)
    })
    assert.strictEqual(new Set([before, ...digests]).size, 5)
  })
})
