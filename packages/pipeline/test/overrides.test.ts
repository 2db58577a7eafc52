/** --set path=value: typed by the schemas, unknown paths refused with near ones. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { applyOverrides } from "../src/recipe/overrides.ts"
import * as Recipe from "../src/run/Recipe.ts"
import { toyStages } from "./toy/stages.ts"

const recipe = {
  version: 1,
  name: "mine",
  model: "models/toy",
  stages: [{ use: "toy-vit", steps: 3 }, { use: "toy-projector" }, { use: "toy-export" }, { use: "toy-export" }]
}
const set = (...settings: ReadonlyArray<string>) => applyOverrides(toyStages, recipe, settings)
const problems = (...settings: ReadonlyArray<string>) =>
  Effect.map(Effect.flip(set(...settings)), (error) => error.problems)

describe("applyOverrides", () => {
  it.effect("sets fields of the recipe and of stages, by name and by place, the last one wins", () =>
    Effect.gen(function* () {
      const changed = yield* set(
        "model=/data/InternVL3-1B",
        "seed=9",
        "save.everySteps=10",
        "memory.limit=4 GiB",
        "toy-vit.steps=5",
        "toy-vit.steps=6",
        "stages[1].rate=1e-3",
        "04-toy-export-2.name=7",
        "name=2026"
      )
      assert.deepStrictEqual(changed, {
        version: 1,
        name: "2026",
        model: "/data/InternVL3-1B",
        seed: 9,
        save: { everySteps: 10 },
        memory: { limit: "4 GiB" },
        stages: [
          { use: "toy-vit", steps: 6 },
          { use: "toy-projector", rate: 1e-3 },
          { use: "toy-export" },
          { use: "toy-export", name: "7" }
        ]
      })
      const decoded = yield* Recipe.decode(toyStages, changed)
      assert.strictEqual(Number(decoded.settings.memory?.limit), 4 * 2 ** 30)
      assert.strictEqual(decoded.settings.seed, 9)
      assert.strictEqual(decoded.settings.save.everySeconds, 300)
    })
  )

  it.effect("refuses unknown paths and says which are near, all at once", () =>
    Effect.gen(function* () {
      const [first, second, third, fourth] = yield* problems("toy-vit.stepz=3", "sed=1", "modell", "toy-vit=3")
      assert.strictEqual(first?.path, "--set toy-vit.stepz=3")
      assert.include(first?.issue, 'there is no "toy-vit.stepz" to set; did you mean toy-vit.steps')
      assert.include(second?.issue, "did you mean seed")
      assert.include(third?.issue, "expected path=value")
      assert.include(fourth?.issue, 'there is no "toy-vit" to set')
    })
  )

  it.effect("leaves a value of the wrong type to decoding, which names the path", () =>
    Effect.gen(function* () {
      const changed = yield* set("toy-vit.steps=lots")
      const error = yield* Effect.flip(Recipe.decode(toyStages, changed))
      assert.deepStrictEqual(error.problems, [{ path: "01-toy-vit.steps", issue: 'Expected number, got "lots"' }])
    })
  )
})
