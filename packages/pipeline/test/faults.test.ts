/** What the world does to a running process: signals, a full disk, a directory that cannot be written, a second process. */
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { resultsOf, savedSteps } from "./support/results.ts"
import { runToy, startToy, temporaryDirectory, writeRecipe } from "./support/toyProcess.ts"

const slow = [
  { use: "toy-vit", steps: 120, floats: 4000, pause: 15 },
  { use: "toy-projector", steps: 4, floats: 4000 },
  { use: "toy-export" }
]
const never = { save: { everySeconds: 1000 } }

/** The lines that speak of a failure: there must be one. */
const errorLines = (stderr: string) => stderr.split("\n").filter((line) => /^(error|warning)|fail/i.test(line))
const lastStep = (directory: string) => {
  const lines = readFileSync(join(directory, "events.jsonl"), "utf8").trim().split("\n")
  return lines.map((line) => JSON.parse(line)).findLast(({ event }) => event === "StepDone").data.step
}

describe("signals", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`${signal} finishes the step, saves and exits with 130; the continued run ends with the same bytes`, async () => {
      const root = temporaryDirectory()
      const recipe = writeRecipe(join(root, "recipe.json"), slow, never)
      const directory = join(root, "run")
      const child = startToy(directory, recipe)
      await child.says("step 1/120")
      child.kill(signal)
      const { code, stderr } = await child.ended
      assert.strictEqual(code, 130, stderr)
      assert.include(stderr, "saved; it can be continued")
      assert.strictEqual(savedSteps(directory)["01-toy-vit"], lastStep(directory))
      assert.isBelow(lastStep(directory), 120)
      assert.isFalse(existsSync(join(directory, "run.lock")))

      const whole = runToy(join(root, "whole"), recipe)
      assert.strictEqual((await runToy(directory, recipe)).code, 0)
      assert.strictEqual((await whole).code, 0)
      assert.deepStrictEqual(resultsOf(directory), resultsOf(join(root, "whole")))
    })
  }

  it("a pipe that is closed ends the run as a signal does", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), [slow[0]!], { save: { everySeconds: 1 } })
    const directory = join(root, "run")
    const child = startToy(directory, recipe)
    await child.says("step 1/120")
    child.stopReading()
    assert.strictEqual((await child.ended).code, 130)
    assert.strictEqual(savedSteps(directory)["01-toy-vit"], lastStep(directory))
    assert.isBelow(lastStep(directory), 120)
    assert.isFalse(existsSync(join(directory, "run.lock")))
  })

  it("the second one exits at once", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), [{ use: "toy-vit", steps: 2, pause: 600_000 }])
    const child = startToy(join(root, "run"), recipe)
    await child.says("2 steps")
    child.kill("SIGINT")
    await child.says("once more to quit at once")
    child.kill("SIGINT")
    assert.strictEqual((await child.ended).code, 130)
  })
})

describe("storage", () => {
  it("a disk that is full when an interrupted run saves is told, and the exit code is not that of a save", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(
      join(root, "recipe.json"),
      [{ use: "toy-vit", steps: 1000, floats: 40_000, pause: 15 }],
      {
        save: { everySeconds: 1000 }
      }
    )
    const child = startToy(join(root, "run"), recipe, { env: { DISK_BYTES: "100000" } })
    await child.says("step 1/1000")
    child.kill("SIGINT")
    const { code, stderr } = await child.ended
    assert.strictEqual(code, 1, stderr)
    assert.strictEqual(errorLines(stderr).length, 1, stderr)
    assert.match(stderr, /error: stage 01-toy-vit stopped at step \d+ of 1000: could not save .*: the disk is full/)
  })

  it("a full disk ends in one message, and the run continues from its last save when there is room", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), [
      { use: "toy-vit", steps: 8, floats: 40_000 },
      { use: "toy-projector", steps: 8, floats: 40_000 },
      { use: "toy-export" }
    ])
    const directory = join(root, "run")
    const { code, stderr } = await runToy(directory, recipe, { env: { DISK_BYTES: String(1_900_000) } })
    assert.strictEqual(code, 1, stderr)
    assert.strictEqual(errorLines(stderr).length, 1)
    assert.match(
      stderr,
      /error: stage 02-toy-projector stopped at step \d of 8: could not save .*: the disk is full; free/
    )
    assert.isAbove(savedSteps(directory)["02-toy-projector"] ?? 0, 0)

    const continued = await runToy(directory, recipe)
    assert.strictEqual(continued.code, 0, continued.stderr)
    assert.include(continued.stderr, "01-toy-vit: finished before, reused")
    assert.match(continued.stderr, /02-toy-projector: continuing after step [2-6]/)
    assert.strictEqual((await runToy(join(root, "whole"), recipe)).code, 0)
    assert.deepStrictEqual(resultsOf(directory), resultsOf(join(root, "whole")))
  })

  it("a directory that may not be written ends in one message before any work", async () => {
    const root = temporaryDirectory()
    chmodSync(root, 0o755)
    const recipe = writeRecipe(join(root, "recipe.json"), slow)
    const directory = join(root, "run")
    mkdirSync(directory, { mode: 0o555 })
    // Root may write anywhere, so it becomes nobody.
    const nobody = process.getuid?.() === 0 ? { user: 65534 } : {}
    const { code, stderr } = await runToy(directory, recipe, nobody)
    assert.strictEqual(code, 1)
    assert.deepStrictEqual(errorLines(stderr), [
      `error: could not lock the directory (${directory}): not permitted; give this user the right to it, or choose another place. What was saved before is intact.`
    ])
  })
})

describe("a second process", () => {
  it("is refused and told who runs; the first is not disturbed", async () => {
    const root = temporaryDirectory()
    const recipe = writeRecipe(join(root, "recipe.json"), [{ use: "toy-vit", steps: 100_000, pause: 5 }])
    const directory = join(root, "run")
    const first = startToy(directory, recipe)
    await first.says("step 1/100000")
    const second = await runToy(directory, recipe)
    assert.strictEqual(second.code, 1)
    const [line = ""] = errorLines(second.stderr)
    assert.include(line, `${directory} is being written by process ${first.pid} on `)
    assert.include(line, `stop it with "kill -INT ${first.pid}"`)
    first.kill("SIGINT")
    assert.strictEqual((await first.ended).code, 130)
    assert.strictEqual(savedSteps(directory)["01-toy-vit"], lastStep(directory))
  })
})
