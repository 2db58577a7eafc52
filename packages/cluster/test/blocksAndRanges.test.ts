/**
 * Blocks of AdaRound and searches of clipping ranges that runners compute, as processes of this host on SQLite: the same files for any number
 * of runners, and when a runner or the run stops in the middle of one.
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
const cut = place("cut.json")
const cutIterations = 3
/** Blocks of nano's tower; Linears of the first decoder layers that are clipped. */
const [blocks, linears] = [3, 2 * 5]

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
  const quantizers = shortStages.autoclip.quantizers.map((rule) => ({ ...rule, match: "/layers\\.[01]\\./" }))
  const autoclip = { ...shortStages.autoclip, quantizers }
  writeFileSync(recipe, JSON.stringify({ ...settings, stages: [adaround, autoclip] }))
  writeFileSync(longer, JSON.stringify({ ...settings, save: {}, stages: [{ ...adaround, iterations: 120 }] }))
  const parts = { ...adaround, inputs: "asymmetric", batch: 5, shards: 3, iterations: cutIterations }
  writeFileSync(cut, JSON.stringify({ ...settings, stages: [parts] }))
  await finishedRun(place("none"), recipe, "native")
  await finishedRun(place("cut-none"), cut, "native")
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

  it("a run that waits for a block ends when it is told to, and continues; a runner that is killed in one costs that one", {
    timeout: 300_000
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
    assert.deepStrictEqual(units(directory), [blocks])
  })

  it("and parts of mini-batches, by two runners", { timeout: 300_000 }, async () => {
    const directory = place("parts")
    while (workers.length < 2) workers.push(await joinedWorker(cluster, "native"))
    await finishedRun(directory, cut, "native", cluster)
    assert.deepStrictEqual(filesOf(directory), filesOf(place("cut-none")))
    assert.strictEqual(units(directory).length, 2)
    assert.strictEqual(sum(units(directory)), blocks * cutIterations * 3)
    assert.isFalse(existsSync(join(directory, "runners/exchange")))
  })

  it("go to no other backend, also where evaluations may", { timeout: 300_000 }, async () => {
    const others = place("others")
    const stranger = await joinedWorker(others, "reference")
    const directory = place("other")
    const output = await finishedRun(directory, recipe, "native", others, "other")
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.notMatch(output, /UnitHandedOut|UnitComputed /)
    assert.deepStrictEqual(units(directory), [])
    stranger.kill("SIGTERM")
  })

  it(`go over HTTP${canHide ? ", to a runner that sees no run" : ""}`, { timeout: 300_000 }, async () => {
    for (const worker of workers.splice(0)) worker.kill("SIGKILL")
    const runs = place("runs")
    mkdirSync(runs)
    const distant = await joinedWorker(place("distant"), "native", canHide ? { hidden: [runs] } : {})
    const directory = join(runs, "over-http")
    const output = await finishedRun(directory, recipe, "native", place("distant"), "127.0.0.1:0")
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.notInclude(output, "UnitComputedHere")
    assert.deepStrictEqual(units(directory), [blocks + linears])
    const refused = await finishedRun(join(runs, "cut"), cut, "native", place("distant"), "127.0.0.1:0")
    assert.match(refused, /UnitComputedHere mini-batches of vision block 0 is computed here: .* leave --over-http out/)
    assert.deepStrictEqual(filesOf(join(runs, "cut")), filesOf(place("cut-none")))
    distant.kill("SIGTERM")
    assert.strictEqual((await distant.ended).code, 130)
  })
})
