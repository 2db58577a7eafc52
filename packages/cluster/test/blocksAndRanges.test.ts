/**
 * Blocks of the tower, parts of its mini-batches and searches of clipping ranges that runners compute, as processes of this host on SQLite: the
 * same files for any number of runners, and when a runner or the run stops in the middle of one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { canHide, filesOf, finishedRun, joinedWorker, type Running, runnersOf, startRun } from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("cluster-blocks")
const cluster = place("cluster")
const recipe = place("recipe.json")
const longer = place("longer.json")
/** Blocks of nano's tower; Linears of the first decoder layers that are clipped. */
const [blocks, linears] = [3, 2 * 5]
/** Parts of mini-batches: three of each. */
const cutIterations = 2
const parts = blocks * cutIterations * 3

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
    .filter(({ event }) => event === "StepDone")
    .map(({ stage, data }) => JSON.stringify([stage, data]))

beforeAll(async () => {
  const model = await writeNanoModel(place("model"))
  const settings = { version: 1, name: "blocks", model, seed: 3, save: { everySteps: 1 } }
  const adaround = { ...shortStages.adaround, inputs: "full-precision", count: 6, iterations: 4, batch: 3 }
  const quantizers = shortStages.autoclip.quantizers.map((rule) => ({ ...rule, match: "/layers\\.[01]\\./" }))
  const autoclip = { ...shortStages.autoclip, quantizers }
  writeFileSync(longer, JSON.stringify({ ...settings, save: {}, stages: [{ ...adaround, iterations: 120 }] }))
  const cut = { ...adaround, inputs: "asymmetric", batch: 5, shards: 3, iterations: cutIterations }
  const trained = { ...shortStages.blockwiseVit, inputs: "full-precision", count: 6, epochs: 2, batch: 3 }
  writeFileSync(recipe, JSON.stringify({ ...settings, stages: [adaround, autoclip, cut, trained] }))
  await finishedRun(place("none"), recipe, "native")
  alone = filesOf(place("none"))
}, 600_000)

describe("blocks of the tower, ranges of clipping and parts of mini-batches", () => {
  it.each([1, 2])(
    "by %i runners have the bytes of none, and what is told is the same",
    {
      timeout: 600_000
    },
    async (count) => {
      while (workers.length < count) workers.push(await joinedWorker(cluster, "native"))
      const directory = place(`with-${count}`)
      const output = await finishedRun(directory, recipe, "native", cluster)
      assert.deepStrictEqual(filesOf(directory), alone)
      assert.deepStrictEqual(metricsOf(directory), metricsOf(place("none")))
      assert.match(metricsOf(directory)[0]!, /"loss"/)
      assert.notInclude(output, "UnitComputedHere")
      assert.strictEqual(runnersOf(directory).here, 0)
      assert.strictEqual(units(directory).length, count, output)
      assert.strictEqual(sum(units(directory)), 2 * blocks + linears + parts)
      assert.isFalse(existsSync(join(directory, "runners/exchange")))
    }
  )

  it("a run that waits for a block ends when it is told to, and continues; a runner that is killed in one costs that one", {
    timeout: 600_000
  }, async () => {
    const directory = place("stopped")
    const alone = finishedRun(place("long-none"), longer, "native")
    const stopped = startRun(directory, longer, "native", cluster)
    await stopped.said(/UnitHandedOut vision block 1 goes to/)
    stopped.kill("SIGTERM")
    const { code, output } = await stopped.ended
    assert.strictEqual(code, 130, output)
    assert.notMatch(output, /01-adaround-vit \d+\n/)

    const run = startRun(directory, longer, "native", cluster)
    await run.said(/UnitHandedOut vision block 1 goes to/)
    workers.pop()!.kill("SIGKILL")
    const [end] = await Promise.all([run.ended, alone])
    assert.strictEqual(end.code, 0, end.output)
    assert.notInclude(end.output, "UnitComputedHere")
    assert.deepStrictEqual(filesOf(directory), filesOf(place("long-none")))
    assert.strictEqual(sum(units(directory)), blocks)
  })

  it("go to no other backend, also where evaluations may", { timeout: 600_000 }, async () => {
    const others = place("others")
    const stranger = await joinedWorker(others, "reference")
    const directory = place("other")
    const output = await finishedRun(directory, recipe, "native", others, "other")
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.notMatch(output, /UnitHandedOut|UnitComputed /)
    assert.deepStrictEqual(units(directory), [])
    stranger.kill("SIGTERM")
  })

  it(`go over HTTP${canHide ? ", to a runner that sees no run" : ""}`, { timeout: 600_000 }, async () => {
    for (const worker of workers.splice(0)) worker.kill("SIGKILL")
    const runs = place("runs")
    mkdirSync(runs)
    const distant = await joinedWorker(place("distant"), "native", canHide ? { hidden: [runs] } : {})
    const directory = join(runs, "over-http")
    const output = await finishedRun(directory, recipe, "native", place("distant"), "127.0.0.1:0")
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.deepStrictEqual(units(directory), [2 * blocks + linears])
    // What needs a folder is computed by the run, which says so: once a block.
    const here = output.split("\n").filter((line) => line.startsWith("UnitComputedHere"))
    assert.lengthOf(here, blocks)
    assert.match(here[0]!, /mini-batches of vision block 0 is computed here: .* leave --over-http out/)
    distant.kill("SIGTERM")
    assert.strictEqual((await distant.ended).code, 130)
  })
})
