/**
 * Runs whose steps are shared with runners, as processes of this host on SQLite: the same bytes for any number of them and for none, and
 * when a runner or the coordinator is killed.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { assert, beforeAll, describe, it } from "vitest"
import { shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { libsqlClient } from "../src/storage/libsqlClient.ts"
import {
  childrenOf,
  finishedRun,
  joinedWorker,
  madeBy,
  type Running,
  runnersOf,
  startRun,
  startWorker
} from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("cluster")
const sharded = { batch: 1, accumulation: 6, maxSteps: 3, shards: 3 }
const recipe = place("recipe.json")
const shorter = place("shorter.json")
const longer = place("longer.json")
const cluster = place("native")
/** Units of each runner that computed any. */
const unitsOf = (directory: string): readonly number[] =>
  runnersOf(directory)
    .runners.map(({ units }) => units)
    .filter((units) => units > 0)

let alone: ReturnType<typeof madeBy>
const workers: Running[] = []

beforeAll(async () => {
  const model = await writeNanoModel(place("model"))
  const settings = { version: 1, name: "cluster", model, seed: 3, save: { everySteps: 1 } }
  const projector = { ...shortStages.projector, ...sharded, maxSteps: 1 }
  const qat = { ...shortStages.qat, ...sharded, loss: { confidenceBatches: 2 } }
  const adaround = { ...shortStages.adaround, iterations: 1 }
  writeFileSync(recipe, JSON.stringify({ ...settings, stages: [adaround, projector, qat] }))
  writeFileSync(longer, JSON.stringify({ ...settings, stages: [{ ...qat, epochs: 100, maxSteps: 10_000 }] }))
  const joint = { ...qat, use: "joint-qat", maxSteps: 1, accumulation: 3 }
  writeFileSync(shorter, JSON.stringify({ ...settings, stages: [joint] }))
  await finishedRun(place("none"), recipe, "native")
  alone = madeBy(place("none"))
})

describe("on native", () => {
  it.each([1, 2, 3])("%i runners give the bytes of none", async (count) => {
    while (workers.length < count) workers.push(await joinedWorker(cluster, "native"))
    const directory = place(`with-${count}`)
    const output = await finishedRun(directory, recipe, "native", cluster)
    assert.deepStrictEqual(madeBy(directory), alone)
    assert.notInclude(output, "UnitComputedHere")
    assert.strictEqual(runnersOf(directory).here, 0)
    assert.strictEqual(unitsOf(directory).length, count, output)
    // A step of train-projector and three of qat, in three shards each.
    assert.strictEqual(
      unitsOf(directory).reduce((a, b) => a + b),
      12
    )
  })

  it("a runner that is killed in a step costs its units: others compute them", async () => {
    const directory = place("runner-killed")
    const run = startRun(directory, recipe, "native", cluster)
    await run.said(/03-qat 3\n/)
    workers.pop()!.kill("SIGKILL")
    const { code, output } = await run.ended
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(madeBy(directory), alone)
  })

  it.skipIf(process.platform !== "linux")(
    "a runner whose computing process stands still ends, and costs its units (needs Linux)",
    async () => {
      while (workers.length < 2) workers.push(await joinedWorker(cluster, "native"))
      const still = await joinedWorker(cluster, "native")
      const directory = place("stands-still")
      const run = startRun(directory, recipe, "native", cluster)
      await run.said(/03-qat 2\n/)
      const [computing] = childrenOf(still.pid)
      process.kill(computing!, "SIGSTOP")
      const { code, output } = await still.ended
      assert.strictEqual(code, 1, output)
      assert.match(output, /the process that computes has neither computed nor answered for 4.0 s and was killed/)
      assert.isFalse(existsSync(`/proc/${computing}`))
      const ended = await run.ended
      assert.strictEqual(ended.code, 0, ended.output)
      assert.notInclude(ended.output, "UnitComputedHere")
      assert.deepStrictEqual(madeBy(directory), alone)
    }
  )

  it("a coordinator that is killed in a step continues", async () => {
    const directory = place("coordinator-killed")
    const run = startRun(directory, recipe, "native", cluster)
    await run.said(/03-qat 3\n/)
    run.kill("SIGKILL")
    await run.ended
    const output = await finishedRun(directory, recipe, "native", cluster)
    assert.match(output, /continuing after step [234] of 5/)
    assert.deepStrictEqual(madeBy(directory), alone)
    // Nothing stays of what was asked and answered, before it was killed and after.
    assert.isFalse(existsSync(join(directory, "runners/exchange")))
    const messages = await Effect.runPromise(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT * FROM cluster_messages`).pipe(
        Effect.provide(libsqlClient(join(cluster, "cluster.sqlite")))
      )
    )
    assert.deepStrictEqual(messages, [])
  })

  it("a runner on another backend takes no part, and is told by name", async () => {
    const stranger = await joinedWorker(cluster, "reference")
    const run = startRun(place("stranger"), longer, "native", cluster)
    await run.said(/RunnerIsRefused .*the run has the backend native.*, the runner reference/)
    // One that comes later is refused by itself.
    const { code, output } = await startWorker(cluster, "reference").ended
    assert.strictEqual(code, 1, output)
    assert.match(output, /this runner is refused: .*stranger has the backend native .*, the runner reference/)
    run.kill("SIGTERM")
    stranger.kill("SIGTERM")
    assert.strictEqual((await run.ended).code, 130)
    assert.strictEqual((await stranger.ended).code, 130)
  })

  it("without any runner left the run goes on by itself", async () => {
    const directory = place("deserted")
    const run = startRun(directory, recipe, "native", cluster)
    await run.said(/03-qat 3\n/)
    for (const worker of workers) worker.kill("SIGKILL")
    const { code, output } = await run.ended
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(madeBy(directory), alone)
    assert.isAbove(runnersOf(directory).here, 0)
  })
})

describe("on the reference backend", () => {
  it("two runners give the bytes of none", async () => {
    const own = place("reference")
    const [, ...both] = await Promise.all([
      finishedRun(place("reference-none"), shorter, "reference"),
      joinedWorker(own, "reference"),
      joinedWorker(own, "reference")
    ])
    const directory = place("reference-two")
    await finishedRun(directory, shorter, "reference", own)
    assert.deepStrictEqual(madeBy(directory), madeBy(place("reference-none")))
    assert.strictEqual(unitsOf(directory).length, 2)
    for (const worker of both) worker.kill("SIGTERM")
  })
})

it("steps go to another backend where recipe and command allow it, and the log says which", {
  timeout: 600_000
}, async () => {
  const open = place("open")
  const stranger = await joinedWorker(open, "reference")
  const { stages, ...settings } = JSON.parse(readFileSync(shorter, "utf8"))
  const allowing = place("allowing.json")
  writeFileSync(allowing, JSON.stringify({ ...settings, stages: [{ ...stages[0], shardBackends: "any" }] }))
  const shared = startRun(place("any"), allowing, "native", open, "other")
  const { code, output } = await shared.ended
  assert.strictEqual(code, 0, output)
  assert.match(output, /UnitComputed shard 1 of step 1 computed by \S+ on reference in /)
  assert.deepStrictEqual(unitsOf(place("any")), [3])
  const strict = await startRun(place("strict"), shorter, "native", open, "other").ended
  assert.strictEqual(strict.code, 0, strict.output)
  assert.notInclude(strict.output, "on reference in")
  assert.deepStrictEqual(unitsOf(place("strict")), [])
  stranger.kill("SIGTERM")
  assert.strictEqual((await stranger.ended).code, 130)
})
