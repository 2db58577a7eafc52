/** kill -9 at any moment costs at most the steps since the last save, and the continued run ends with the same bytes. */
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import { resultsOf, savedSteps } from "./support/results.ts"
import { runToy, startToy, temporaryDirectory, writeRecipe } from "./support/toyProcess.ts"
import { nextUniform } from "./toy/Lcg.ts"

// States of 16 MiB saved every two steps: most of the time goes into writing them.
const stages = [
  { use: "toy-vit", steps: 16, floats: 2 ** 21 },
  { use: "toy-projector", steps: 16, floats: 2 ** 21 },
  { use: "toy-export" }
]
// Small states, so that the crash points are spread over everything that is written.
const smallStages = [
  { use: "toy-vit", steps: 9, floats: 4000 },
  { use: "toy-projector", steps: 9, floats: 4000 },
  { use: "toy-export" }
]

/** Where a continued stage said that it continued. */
const continuedAt = (stderr: string) =>
  [...stderr.matchAll(/^(\S+): continuing after step (\d+)/gm)].map(([, place, step]) => [place, Number(step)] as const)

describe("kill -9", () => {
  it("at random moments, in the middle of large writes", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), stages)
    assert.strictEqual((await runToy(join(root, "whole"), recipe)).code, 0)

    const random = { state: 20261123 }
    const whole = resultsOf(join(root, "whole"))
    // A fast machine finishes between two kills: then another run begins.
    for (let kills = 0, runs = 0; kills < 15; runs++) {
      const directory = join(root, `killed-${runs}`)
      let code: number | null = null
      while (code !== 0) {
        const child = startToy(directory, recipe)
        await child.says("ready")
        if (kills < 15) {
          await setTimeout(nextUniform(random) * 300)
          child.kill("SIGKILL")
        }
        const ended = await child.ended
        code = ended.code
        if (code === 0) break
        kills++
        const saved = savedSteps(directory)
        for (const [place, step] of continuedAt(ended.stderr)) {
          if (place !== undefined && place in saved) assert.isAtLeast(saved[place] ?? 0, step)
        }
      }
      assert.deepStrictEqual(resultsOf(directory), whole)
    }
  }, 240_000)

  it("in the middle of the n-th change of the file system", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), smallStages)
    assert.strictEqual((await runToy(join(root, "whole"), recipe)).code, 0)

    const directory = join(root, "killed")
    let kills = 0
    for (let crash = 0; crash < 20; crash++) {
      const before = crash === 0 ? {} : savedSteps(directory)
      const { signal, code, stderr } = await runToy(directory, recipe, { env: { CRASH_AT: String(8 + 4 * crash) } })
      for (const [place, step] of continuedAt(stderr)) assert.strictEqual(step, before[place ?? ""])
      if (code === 0) break
      assert.strictEqual(signal, "SIGKILL", stderr)
      kills++
    }
    assert.isAtLeast(kills, 12)
    assert.strictEqual((await runToy(directory, recipe)).code, 0)
    assert.deepStrictEqual(resultsOf(directory), resultsOf(join(root, "whole")))
  }, 180_000)
})
