/** Every recipe in configs/ decodes with the stages that there are, and quantizes what the paper's does. */
import { readdirSync, readFileSync } from "node:fs"
import { Recipe } from "@speedq/pipeline"
import { stages } from "@speedq/pipeline/stages/registry"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"

const recipes = readdirSync("configs").filter((name) => /^internvl3-.*\.json$/.test(name))

describe("configs", () => {
  it("has the paper's four and the mixed one", () => {
    const expected = ["1b-2bit", "1b-4bit", "1b-mixed", "2b-2bit", "2b-4bit"].map((name) => `internvl3-${name}.json`)
    assert.deepEqual(recipes.sort(), expected)
  })

  for (const name of recipes) {
    it(`${name} decodes into the stages of SPEED-Q, in order`, async () => {
      const json: unknown = JSON.parse(readFileSync(`configs/${name}`, "utf8"))
      const recipe = await Effect.runPromise(Recipe.decode(stages, json))
      assert.deepEqual(
        recipe.stages.map((stage) => stage.name),
        ["adaround-vit", "train-projector", "autoclip", "qat", "export", "export"]
      )
      assert.strictEqual(recipe.settings.seed, 42)
    })
  }
})
