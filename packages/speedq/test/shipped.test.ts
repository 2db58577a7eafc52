/** Files that come with the command, found by short names from any directory. */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import {
  recipeFile,
  requireGenerated,
  shippedNano,
  shippedPath,
  shippedRecipeNames,
  withShippedPaths
} from "../src/shipped/shipped.ts"
import { root, speedqProcess, temporaryDirectory } from "./support/speedq.ts"

describe("speedq: paths", () => {
  it("are relative where the current directory holds the file, and absolute elsewhere", () => {
    const before = process.cwd()
    try {
      process.chdir(root)
      assert.strictEqual(shippedPath("speedq:data/nano/model"), join("data", "nano", "model"))
      process.chdir(temporaryDirectory())
      assert.strictEqual(shippedPath("speedq:data/nano/model"), join(shippedNano, "model"))
      assert.strictEqual(shippedPath("model=speedq:data/nano/model"), `model=${join(shippedNano, "model")}`)
    } finally {
      process.chdir(before)
    }
  })

  it("are replaced everywhere in a recipe, and nothing else is", () => {
    const path = shippedPath("speedq:data/nano/evaluation/short.tsv")
    assert.isTrue(existsSync(path))
    const title = "of speedq: all of it"
    const recipe = {
      model: "mine",
      seed: 1,
      stages: [{ title, data: ["speedq:data/nano/evaluation/short.tsv", null] }]
    }
    assert.deepEqual(withShippedPaths(recipe), { model: "mine", seed: 1, stages: [{ title, data: [path, null] }] })
  })
})

describe("generated files", () => {
  it("that are not there are named, with the command that makes them", () => {
    const recipe = { stages: [{ data: { meta: "speedq:data/micro/build/no-such-file.json" } }] }
    const failure = Effect.runSync(Effect.flip(requireGenerated(recipe)))
    assert.match(failure.message, /data\/micro\/build\/no-such-file\.json is not there: .* run `npm run micro`/)
    Effect.runSync(requireGenerated({ meta: "speedq:data/nano/no-such-file.json" }))
  })
})

describe("names of shipped recipes", () => {
  it("mean the shipped file, unless there is one of that name", () => {
    assert.includeMembers(
      [...shippedRecipeNames()],
      ["nano-2bit", "nano-ablation", "internvl3-1b-2bit", "paper/internvl3-1b-2bit"]
    )
    assert.notInclude([...shippedRecipeNames()], "recipe.schema")
    assert.isTrue(existsSync(recipeFile("nano-2bit")))
    const own = join(temporaryDirectory(), "nano-2bit")
    writeFileSync(own, "{}")
    assert.strictEqual(recipeFile(own), own)
    assert.strictEqual(recipeFile("nano-2bits"), "nano-2bits")
  })

  it("plan in an empty directory, with all their data", async () => {
    const { code, stdout, stderr } = await speedqProcess(["plan", "nano-2bit", "--no-time"], {
      cwd: temporaryDirectory()
    })
    assert.strictEqual(code, 0, stderr)
    assert.match(stdout, /It fits: the run can start\./)
  })

  it("are listed where a name is near them", async () => {
    const { code, stderr } = await speedqProcess(["run", "nano2bit"], { cwd: temporaryDirectory() })
    assert.strictEqual(code, 1)
    assert.match(stderr, /^error: no recipe nano2bit: there is no such file; did you mean nano-2bit, /)
  })
})
