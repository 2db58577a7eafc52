/** Modules that a person names, imported by the built command in plain Node, as users have it. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, beforeEach, describe, it } from "vitest"
import { root, runNode, temporaryDirectory } from "./support/speedq.ts"

const built = (file: string) => pathToFileURL(join(root, "packages", "speedq", "dist", file)).href

/** Imports `file` and prints what `shown`, an expression of `module`, is; or the tag and the message of the failure. */
const program = (file: string, shown: string) => `
  import * as Effect from "${import.meta.resolve("effect/Effect")}"
  import * as Schema from "${import.meta.resolve("effect/Schema")}"
  import { importModule } from "${built("modules/importModule.js")}"
  const result = await Effect.runPromise(Effect.result(importModule(${JSON.stringify(file)})))
  const module = result.success
  console.log(module === undefined ? result.failure._tag + " " + result.failure.message : ${shown})
`

let directory = ""
beforeEach(() => {
  directory = temporaryDirectory()
})

/** Files by name below the directory; the folder is like one that "npm init" leaves. */
const write = (files: { readonly [name: string]: string }) => {
  for (const [name, text] of Object.entries({ "package.json": '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
}

const imported = async (file: string, shown = "Object.keys(module).join()") => {
  const { code, stdout, stderr } = await runNode(["--input-type=module", "-e", program(file, shown)], {
    cwd: directory
  })
  assert.strictEqual(code, 0, `${stderr}; is it built? npm run build`)
  return stdout.trim()
}

/** Line 3 of a file; the column only where Node itself runs the file as it is written. */
const placeIn = (file: string): string => {
  const isCompiled = file.endsWith(".ts") && !("typescript" in process.features && process.features.typescript)
  return `${file}:3${isCompiled ? "" : ":\\d+"}`
}

describe("importModule", () => {
  it("imports TypeScript and JavaScript, with what they import, also in a folder of CommonJS", async () => {
    write({
      "package.json": '{ "type": "commonjs" }',
      "two.ts": "export const two: number = 2",
      "mine.ts": 'import { two } from "./two.ts"\nexport const four: number = await Promise.resolve(two + two)',
      "mine.mjs": "export const one = 1",
      "mine.js": "export const one = 1"
    })
    assert.strictEqual(await imported("mine.ts", "module.four"), "4")
    assert.strictEqual(await imported("mine.mjs", "module.one"), "1")
    assert.strictEqual(await imported("mine.js", "module.one"), "1")
  })

  it("gives a TypeScript module the very packages that the program has", async () => {
    write({ "mine.ts": 'import * as Schema from "effect/Schema"\nexport const struct: unknown = Schema.Struct' })
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
    assert.strictEqual(await imported("mine.ts", "module.struct === Schema.Struct"), "true")
  })

  it("refuses another copy of a package that must be one", async () => {
    const copy = "node_modules/@speedq/tensors"
    write({
      "mine.ts": 'import { scope } from "@speedq/tensors"\nexport const used = scope',
      [`${copy}/package.json`]: '{ "name": "@speedq/tensors", "type": "module", "exports": "./index.js" }',
      [`${copy}/index.js`]: "export const scope = 1"
    })
    assert.match(
      await imported("mine.ts"),
      /^ModuleUnreadable mine\.ts: it imports another copy of @speedq\/tensors \(.*index\.js\) than this program has \(.*\); install "speedq" where the file is/
    )
  })

  it("runs once what throws a SyntaxError of its own, and says where", async () => {
    const ran = 'import { appendFileSync } from "node:fs"\nappendFileSync("ran", "once")\n'
    const ownErrors = {
      "json.ts": `${ran}export const a: unknown = JSON.parse("{")\n`,
      "json.mjs": `${ran}export const a = JSON.parse("{")\n`,
      "awaits.mjs": `${ran}export const a = await (async () => (await null, JSON.parse("{")))()\n`,
      "regexp.ts": `${ran}export const a: unknown = new RegExp("(")\n`,
      "imports.ts": 'import { a } from "./lib/throws.ts"\nexport const b: unknown = a\n'
    }
    write({ ...ownErrors, "lib/throws.ts": `${ran}export const a: unknown = new RegExp("(")\n` })
    for (const file of Object.keys(ownErrors)) {
      rmSync(join(directory, "ran"), { force: true })
      const place = file === "imports.ts" ? "lib/throws.ts" : file
      const message = new RegExp(`^ModuleUnreadable ${file}: it throws ".*" at .*${placeIn(place)}; correct it$`)
      assert.match(await imported(file), message)
      assert.strictEqual(readFileSync(join(directory, "ran"), "utf8"), "once", file)
    }
  })

  it("says what is wrong, where, and what to do", async () => {
    write({
      "syntax.ts": "export const a: number = 1\n\nexport const b = = 2\n",
      "syntax.mjs": "export const a = 1\n\nexport const b = = 2\n",
      "throws.ts": 'export const a: number = 1\n\nthrow new Error("boom")\n',
      "throws.mjs": 'throw "a text"\n',
      "package.ts": 'import "not-installed"\n',
      "recipe.json": "{}"
    })
    const said = {
      "syntax.ts": /^ModuleUnreadable syntax\.ts: it is not valid: .*syntax\.ts:3:\d+; correct the syntax$/,
      "syntax.mjs": /^ModuleUnreadable syntax\.mjs: it is not valid: .*syntax\.mjs:3:\d+; correct the syntax$/,
      "throws.ts": new RegExp(
        `^ModuleUnreadable throws\\.ts: it throws "boom" at .*${placeIn("throws.ts")}; correct it$`
      ),
      "throws.mjs": /^ModuleUnreadable throws\.mjs: it throws a text; correct it$/,
      "package.ts":
        /^ModuleUnreadable package\.ts: Cannot find (module|package) 'not-installed'.*install the package where/,
      "missing.ts":
        /^ModuleUnreadable missing\.ts: there is no such file; paths are relative to the current directory$/,
      "recipe.json":
        /^ModuleUnreadable recipe\.json: "\.json" is not the ending of a module; give a file that ends in \.ts/
    }
    for (const [file, message] of Object.entries(said)) assert.match(await imported(file), message)
  })
})
