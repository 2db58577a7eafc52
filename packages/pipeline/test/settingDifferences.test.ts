/** Settings in which recipes differ: by stage, whatever else the recipes have between them. */
import { assert, describe, it } from "vitest"
import { recipeChanges, settingsThatDiffer } from "../src/recipe/settingDifferences.ts"

const recipe = (seed: number, ...stages: ReadonlyArray<object>) =>
  JSON.parse(JSON.stringify({ name: `run ${seed}`, model: "m", seed, stages }))

describe("settingsThatDiffer", () => {
  it("names values by stage, and stages that not all have", () => {
    const check = { use: "evaluate", title: "before" }
    const found = settingsThatDiffer([
      recipe(1, { use: "qat", rate: 0.1, rules: [{ bits: 2 }] }, { use: "qat", rate: 3 }),
      recipe(2, check, { use: "qat", rate: 0.1, rules: [{ bits: 4 }] }, { use: "qat", rate: 3 }),
      recipe(2, { use: "qat", rate: 0.2, rules: [{ bits: 2 }] }, { use: "qat", rate: 3 })
    ])
    assert.deepStrictEqual(found, [
      { setting: "seed", values: ["1", "2", "2"] },
      { setting: "qat.rules[0].bits", values: ["2", "4", "2"] },
      { setting: "qat.rate", values: ["0.1", "0.1", "0.2"] },
      { setting: 'evaluate "before"', values: ["not there", "there", "not there"] }
    ])
  })

  it("are none for the same recipe, whatever it is called", () => {
    const stage = { use: "qat", rate: 0.1 }
    assert.deepStrictEqual(settingsThatDiffer([recipe(1, stage), { ...recipe(1, stage), name: "other" }]), [])
  })
})

describe("recipeChanges", () => {
  it("names a stage as its directory is, wherever it was before", () => {
    const found = recipeChanges(
      recipe(1, { use: "vit" }, { use: "qat", rate: 0.1 }, { use: "export" }),
      recipe(1, { use: "vit" }, { use: "projector" }, { use: "qat", rate: 0.2 })
    )
    assert.deepStrictEqual(found, [
      { field: "03-qat.rate", before: "0.1", after: "0.2" },
      { field: "03-export", before: "there", after: "not there" },
      { field: "02-projector", before: "not there", after: "there" }
    ])
  })

  it("tells another name of the recipe", () => {
    assert.deepStrictEqual(recipeChanges(recipe(1), { ...recipe(1), name: "other" }), [
      { field: "name", before: '"run 1"', after: '"other"' }
    ])
  })
})
