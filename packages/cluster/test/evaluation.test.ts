/** Evaluations whose questions are shared with runners, as processes of this host on SQLite: the same files for any number of runners. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { evaluation, nearest, writeNanoModel } from "../../stages/test/support/nano.ts"
import {
  filesOf,
  finishedRun,
  joinedWorker,
  type Running,
  runnersOf,
  startRun,
  startWorker
} from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("cluster-evaluation")
const cluster = place("cluster")
const recipe = place("recipe.json")
const longer = place("longer.json")
const shorter = place("shorter.json")
const units = (directory: string) => runnersOf(directory).runners.map((runner) => runner.units)
/** Rows of the two benchmarks, one a group. */
const groups = 7

let alone: ReturnType<typeof filesOf>
const workers: Running[] = []

beforeAll(async () => {
  const model = await writeNanoModel(place("model"))
  const settings = { version: 1, name: "evaluation", model, seed: 3, save: { everySteps: 1 } }
  const stages = [evaluation("full precision"), evaluation("nearest", { nearest })]
  writeFileSync(recipe, JSON.stringify({ ...settings, stages }))
  const long = evaluation("long")
  const benchmarksOf = (limit: number) => long.benchmarks.map((benchmark) => ({ ...benchmark, limit }))
  writeFileSync(
    longer,
    JSON.stringify({ ...settings, stages: [{ ...long, divergence: 0, benchmarks: benchmarksOf(15) }] })
  )
  const short = { ...long, divergence: 0, benchmarks: benchmarksOf(2) }
  writeFileSync(shorter, JSON.stringify({ ...settings, stages: [short] }))
  await finishedRun(place("none"), recipe, "native")
  alone = filesOf(place("none"))
}, 600_000)

describe("the questions of an evaluation", () => {
  it.each([1, 2])("are asked by %i runners to the bytes of none", { timeout: 600_000 }, async (count) => {
    while (workers.length < count) workers.push(await joinedWorker(cluster, "native"))
    const directory = place(`with-${count}`)
    const output = await finishedRun(directory, recipe, "native", cluster)
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.notInclude(output, "UnitComputedHere")
    assert.strictEqual(runnersOf(directory).here, 0)
    const computed = units(directory).filter((each) => each > 0)
    assert.strictEqual(computed.length, count, output)
    assert.strictEqual(
      computed.reduce((a, b) => a + b),
      2 * groups
    )
  })

  it("are asked by others when a runner is killed, and here when none is left", { timeout: 600_000 }, async () => {
    const alone = place("long-none")
    const shared = place("long-killed")
    const [run] = [startRun(shared, longer, "native", cluster), await finishedRun(alone, longer, "native")]
    await run.said(/01-evaluate 3\n/)
    workers.pop()!.kill("SIGKILL")
    await run.said(/01-evaluate 9\n/)
    for (const worker of workers.splice(0)) worker.kill("SIGKILL")
    const { code, output } = await run.ended
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(filesOf(shared), filesOf(alone))
  })

  it("go to another backend where that is allowed, and the log says which", { timeout: 600_000 }, async () => {
    const stranger = await joinedWorker(cluster, "reference")
    const directory = place("other")
    const run = startRun(directory, shorter, "native", cluster, "other")
    await run.said(/01-evaluate 1\n/)
    // One that comes later is not refused.
    const later = startWorker(cluster, "reference")
    await later.said(/"Joined"/)
    const { code, output } = await run.ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /UnitComputed group 1, question \S+ of nano computed by \S+ on reference in /)
    assert.include(readFileSync(join(directory, "events.jsonl"), "utf8"), '"backend":"reference"')
    assert.strictEqual(
      units(directory).reduce((a, b) => a + b),
      4
    )
    for (const worker of [stranger, later]) worker.kill("SIGTERM")
    for (const worker of [stranger, later]) assert.strictEqual((await worker.ended).code, 130)
  })
})
