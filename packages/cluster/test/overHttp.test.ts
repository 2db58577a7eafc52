/**
 * Runs whose files go over HTTP, to runners that do not see the run's directory: the same bytes for any number of them and for none, also
 * where parameters travel in bf16, and where a runner cannot or may not get files.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { evaluation, shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import {
  type Circumstances,
  canHide,
  filesOf,
  finishedRun,
  joinedWorker,
  type Running,
  runnersOf,
  startRun
} from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const runners: Running[] = []
const place = testFolder("over-http")
/** Runs are here; runners see an empty directory in its place. */
const runs = place("runs")
const temporaries = place("temporaries")
const recipe = place("recipe.json")
const half = place("half.json")
const cluster = place("cluster")
const listen = "127.0.0.1:0"
const run = (name: string) => join(runs, name)

let alone: ReturnType<typeof filesOf>
let aloneInHalf: ReturnType<typeof filesOf>

beforeAll(async () => {
  for (const directory of [runs, temporaries]) mkdirSync(directory)
  const model = await writeNanoModel(place("model"))
  const settings = { version: 1, name: "over-http", model, seed: 3, save: { everySteps: 1 } }
  const sharded = { batch: 1, accumulation: 6, maxSteps: 2, shards: 3 }
  const projector = { ...shortStages.projector, ...sharded, maxSteps: 1 }
  const qat = { ...shortStages.qat, ...sharded, loss: { confidenceBatches: 2 } }
  const adaround = { ...shortStages.adaround, iterations: 1 }
  writeFileSync(recipe, JSON.stringify({ ...settings, stages: [adaround, projector, qat, evaluation("end")] }))
  writeFileSync(half, JSON.stringify({ ...settings, stages: [{ ...qat, shardParameters: "bf16" }] }))
  await Promise.all([finishedRun(run("none"), recipe, "native"), finishedRun(run("half-none"), half, "native")])
  alone = filesOf(run("none"))
  aloneInHalf = filesOf(run("half-none"))
}, 900_000)

const unitsOf = (directory: string): readonly number[] => runnersOf(directory).runners.map(({ units }) => units)
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** A runner that sees no run, where this system allows that. */
const withoutRuns: Circumstances = { env: { TMPDIR: temporaries }, ...(canHide ? { hidden: [runs] } : {}) }

/** So many of them have joined, and no other is there. */
const haveRunners = async (count: number): Promise<void> => {
  while (runners.length < count) runners.push(await joinedWorker(cluster, "native", withoutRuns))
  for (const runner of runners.splice(count)) {
    runner.kill("SIGTERM")
    await runner.ended
  }
}

describe("without files over HTTP", () => {
  it.skipIf(!canHide)(
    "a runner that does not see the run says so, and the run computes (needs mounts of its own)",
    { timeout: 900_000 },
    async () => {
      runners.push(await joinedWorker(cluster, "native", withoutRuns))
      const output = await finishedRun(run("unseen"), half, "native", cluster)
      assert.match(output, /UnitComputedHere .*there is no run in .*unseen: .* or a run with --over-http/)
      assert.deepStrictEqual(filesOf(run("unseen")), aloneInHalf)
      assert.strictEqual(sum(unitsOf(run("unseen"))), 0)
    }
  )
})

describe(`with files over HTTP${canHide ? ", to runners that see no run" : ""}`, () => {
  it("two runners give the bytes of none", { timeout: 900_000 }, async () => {
    await haveRunners(2)
    const directory = run("with-two")
    const output = await finishedRun(directory, recipe, "native", cluster, listen)
    assert.match(output, /FilesServed runners get files from http:\/\/127\.0\.0\.1:\d+\n/)
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.notInclude(output, "UnitComputedHere")
    assert.strictEqual(unitsOf(directory).filter((units) => units > 0).length, 2)
    // A step of train-projector and two of qat, in three shards each, and seven groups of questions.
    assert.strictEqual(sum(unitsOf(directory)), 9 + 7)
    assert.isFalse(existsSync(join(directory, "runners/exchange")))
  })

  it.each([1, 2])("%i runners give the bytes of none with parameters in bf16", { timeout: 900_000 }, async (count) => {
    await haveRunners(count)
    const directory = run(`half-${count}`)
    const output = await finishedRun(directory, half, "native", cluster, listen)
    assert.deepStrictEqual(filesOf(directory), aloneInHalf)
    assert.notDeepEqual(aloneInHalf, alone)
    assert.notInclude(output, "UnitComputedHere")
    assert.strictEqual(unitsOf(directory).filter((units) => units > 0).length, count)
  })

  it("a coordinator that is killed in a step continues, at another address", { timeout: 900_000 }, async () => {
    const directory = run("killed")
    const first = startRun(directory, recipe, "native", cluster, listen)
    await first.said(/03-qat 3\n/)
    first.kill("SIGKILL")
    await first.ended
    const output = await finishedRun(directory, recipe, "native", cluster, listen)
    assert.match(output, /continuing after step [234] of 4/)
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.isAbove(sum(unitsOf(directory)), 0)
  })

  it("a runner without the run's token gets nothing; one with it does", { timeout: 900_000 }, async () => {
    const env = { SPEEDQ_TOKEN: "the token of these tests" }
    const directory = run("token")
    const output = await finishedRun(directory, half, "native", cluster, listen, { env })
    assert.match(output, /FilesServed .*, with the token that this run was started with/)
    assert.match(output, /UnitComputedHere .*need its token; start the runner with the SPEEDQ_TOKEN of the run/)
    assert.deepStrictEqual(filesOf(directory), aloneInHalf)
    assert.strictEqual(sum(unitsOf(directory)), 0)
    for (const runner of runners.splice(0)) {
      runner.kill("SIGTERM")
      assert.strictEqual((await runner.ended).code, 130)
    }

    const stranger = await joinedWorker(cluster, "native", { env: { SPEEDQ_TOKEN: "another token of tests" } })
    const refused = await finishedRun(run("stranger"), half, "native", cluster, listen, { env })
    assert.match(refused, /UnitComputedHere .*401 the request is not signed with this run's token/)
    stranger.kill("SIGTERM")
    await stranger.ended

    const knowing = await joinedWorker(cluster, "native", { ...withoutRuns, env: { ...withoutRuns.env, ...env } })
    const given = await finishedRun(run("knowing"), half, "native", cluster, listen, { env })
    assert.notInclude(given, "UnitComputedHere")
    assert.deepStrictEqual(filesOf(run("knowing")), aloneInHalf)
    knowing.kill("SIGTERM")
    assert.strictEqual((await knowing.ended).code, 130)
    // Nothing stays of what runners fetched and made.
    assert.deepStrictEqual(
      readdirSync(temporaries).filter((name) => name.startsWith("speedq-runner-")),
      []
    )
  })

  it("beyond loopback a run without a token ends before it begins", async () => {
    const refused = startRun(run("open"), half, "native", cluster, "0.0.0.0:0", { env: { SPEEDQ_TOKEN: "" } })
    const { code, output } = await refused.ended
    assert.strictEqual(code, 1, output)
    assert.match(
      output,
      /--listen 0\.0\.0\.0:0: other machines reach that, and there is no token; set SPEEDQ_TOKEN to 16/
    )
  })

  it.skipIf(!canHide)(
    "a runner with no model, or another one, is told of by the run, which computes (needs mounts of its own)",
    { timeout: 900_000 },
    async () => {
      const runner = await joinedWorker(cluster, "native", { hidden: [runs, place("model")] })
      const output = await finishedRun(run("no-model"), half, "native", cluster, listen)
      assert.match(output, /UnitComputedHere .*model/)
      assert.deepStrictEqual(filesOf(run("no-model")), aloneInHalf)
      assert.strictEqual(sum(unitsOf(run("no-model"))), 0)
      runner.kill("SIGTERM")
    }
  )
})
