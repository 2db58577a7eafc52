/**
 * Blocks of AdaRound and searches of clipping ranges that runners compute, as processes of this host on SQLite: the same files for any number
 * of runners, and when a runner or the run stops in the middle of one.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { canHide, filesOf, finishedRun, joinedWorker, type Running, runnersOf, startRun } from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("cluster-blocks")
const cluster = place("cluster")
const recipe = place("recipe.json")
const longer = place("longer.json")
/** Blocks of nano's tower; Linears of its decoder that are clipped. */
const [blocks, linears] = [3, 5 * 5]

let alone: ReturnType<typeof filesOf>
const workers: Running[] = []

const units = (directory: string): readonly number[] =>
  runnersOf(directory)
    .runners.map((runner) => runner.units)
    .filter((count) => count > 0)
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Numbers that a run tells of each step, by stage. */
const metricsOf = (directory: string): readonly string[] =>
  readFileSync(join(directory, "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((entry) => entry._tag === "StepDone")
    .map(({ stage, step, metrics }) => JSON.stringify([stage, step, metrics]))

beforeAll(async () => {
  const model = await writeNanoModel(place("model"))
  const settings = { version: 1, name: "blocks", model, seed: 3, save: { everySteps: 1 } }
  const adaround = { ...shortStages.adaround, inputs: "full-precision", count: 6, iterations: 4, batch: 3 }
  writeFileSync(recipe, JSON.stringify({ ...settings, stages: [adaround, shortStages.autoclip] }))
  writeFileSync(longer, JSON.stringify({ ...settings, stages: [{ ...adaround, iterations: 150 }] }))
  await finishedRun(place("none"), recipe, "native")
  alone = filesOf(place("none"))
}, 300_000)

describe("blocks of AdaRound and ranges of clipping", () => {
  it.each([1, 2])(
    "by %i runners have the bytes of none, and what is told is the same",
    {
      timeout: 300_000
    },
    async (count) => {
      while (workers.length < count) workers.push(await joinedWorker(cluster, "native"))
      const directory = place(`with-${count}`)
      const output = await finishedRun(directory, recipe, "native", cluster)
      assert.deepStrictEqual(filesOf(directory), alone)
      assert.deepStrictEqual(metricsOf(directory), metricsOf(place("none")))
      assert.notInclude(output, "UnitComputedHere")
      assert.strictEqual(runnersOf(directory).here, 0)
      assert.strictEqual(units(directory).length, count, output)
      assert.strictEqual(sum(units(directory)), blocks + linears)
    }
  )
})
