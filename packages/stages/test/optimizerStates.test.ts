/** Stage 3 with the optimizer's moments in 16 and 8 bits: other numbers than in f32, the same bytes when it is interrupted. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { Compute } from "../src/compute/Compute.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("states", runs)

const recipeOf = (optimizerStates: string) => ({
  version: 1,
  name: "states",
  model,
  seed: 7,
  save: { everySteps: 2 },
  stages: [{ ...shortStages.qat, optimizerStates, loss: { confidence: 0.5 } }]
})

const trained = (directory: string): Buffer =>
  readFileSync(join(directory, "stages", "01-qat", "quantizedLanguage.safetensors"))

describe("stage 3", () => {
  it.each(["bf16", "int8"])("with moments in %s ends with the same bytes when it is interrupted", async (states) => {
    const [plain, whole, directory] = ["f32", states, `${states}-interrupted`].map((name) => join(root, name))
    for (const [format, place] of [
      ["f32", plain!],
      [states, whole!]
    ] as const) {
      const { exit } = await runs.run(recipeOf(format), place)
      assert.isTrue(Exit.isSuccess(exit), String(exit))
    }
    assert.isFalse(trained(whole!).equals(trained(plain!)))
    const { exit } = await runs.run(recipeOf(states), directory!, { stage: "01-qat", step: 3 })
    assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    assert.isTrue(Exit.isSuccess((await runs.run(recipeOf(states), directory!)).exit))
    assert.deepStrictEqual(resultsOf(directory!), resultsOf(whole!))
    const { backend } = await runs.runtime.runPromise(Compute)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})
