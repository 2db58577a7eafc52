/** Every recipe in configs/ decodes with the stages that there are, and quantizes what the paper's does. */
import { readdirSync, readFileSync } from "node:fs"
import { Recipe } from "@speedq/pipeline"
import { stages } from "@speedq/pipeline/stages/registry"
import { readDatasetMeta } from "@speedq/vlm-model"
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

describe("data/training_datasets.json", () => {
  it("lists the fifty data sets with their lengths, from which recipes take their percentages", async () => {
    const file = "data/training_datasets.json"
    const datasets = await Effect.runPromise(readDatasetMeta(file, "data"))
    const entries = JSON.parse(readFileSync(file, "utf8")) as { readonly [name: string]: { readonly length: number } }
    const lengths = datasets.map(({ name }) => entries[name]!.length)
    const drawn = (percent: number) => lengths.reduce((sum, length) => sum + Math.floor((length * percent) / 100), 0)
    assert.strictEqual(datasets.length, 50)
    // internvl3.md 5: one and ten percent of 6,816,594 records.
    assert.deepStrictEqual([drawn(100), drawn(1), drawn(10)], [6_816_594, 68_142, 681_637])
    for (const recipe of recipes) assert.include(readFileSync(`configs/${recipe}`, "utf8"), `"meta": "${file}"`)
  })
})
