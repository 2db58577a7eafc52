/** Ablations whose runs are shared with runners, as processes of this host on SQLite: the same comparison as of one process. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import { evaluation, nearestLanguage, shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { filesOf, finishedRun, joinedWorker, type Running, runnersOf, startRun } from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("cluster-ablation")
const cluster = place("cluster")
const ablation = place("ablation.json")
const cells = ["A", "B"].flatMap((variant) => [1, 2].map((seed) => `${variant}/seed-${seed}`))

/** What was found, without the times. */
const foundIn = (directory: string) => {
  const { runs, tables, separation } = JSON.parse(readFileSync(join(directory, "ablation.json"), "utf8"))
  const timeless = (table: { readonly columns: readonly string[]; readonly rows: readonly unknown[][] }) => ({
    ...table,
    rows: table.rows.map((row) => row.filter((_, at) => table.columns[at] !== "time"))
  })
  return {
    runs: runs.map(({ milliseconds, ...run }: { readonly milliseconds: number | null }) => {
      assert.isNumber(milliseconds)
      return run
    }),
    tables: tables.map(timeless),
    separation
  }
}
const keptIn = (directory: string) => cells.map((cell) => filesOf(join(directory, cell)))
const eventsIn = (directory: string, cell: string) => readFileSync(join(directory, cell, "events.jsonl"), "utf8")
/** How often the stage that both variants have was computed. */
const rounded = (directory: string) =>
  cells.filter((cell) => /"event":"StageFinished","stage":"01-adaround-vit"/.test(eventsIn(directory, cell))).length

const workers: Running[] = []

beforeAll(async () => {
  const model = await writeNanoModel(place("model"))
  const qat = { ...shortStages.qat, batch: 1, accumulation: 2, maxSteps: 3, loss: { confidenceBatches: 1 } }
  const judged = evaluation("result", { nearest: nearestLanguage, divergence: 0 })
  const stages = [{ ...shortStages.adaround, iterations: 4 }, qat, judged]
  const settings = { version: 1, name: "base", model, save: { everySteps: 1 } }
  writeFileSync(place("base.json"), JSON.stringify({ ...settings, stages }))
  const variants = [{ name: "A" }, { name: "B", set: ["qat.learningRate=0.002"] }]
  writeFileSync(ablation, JSON.stringify({ version: 1, name: "small", base: "base.json", seeds: [1, 2], variants }))
  await finishedRun(place("none"), ablation, "native")
}, 600_000)

describe("the runs of an ablation", () => {
  it("are computed by two runners to the same comparison", { timeout: 600_000 }, async () => {
    for (let runner = 0; runner < 2; runner++) workers.push(await joinedWorker(cluster, "native"))
    const directory = place("two")
    const output = await finishedRun(directory, ablation, "native", cluster)
    assert.deepStrictEqual(foundIn(directory), foundIn(place("none")))
    assert.deepStrictEqual(keptIn(directory), keptIn(place("none")))
    assert.notInclude(output, "UnitComputedHere")
    // One seed's variants one after the other as far as they are the same, and seeds beside each other.
    assert.strictEqual(rounded(directory), 2)
    const { here, runners } = runnersOf(directory)
    assert.strictEqual(here, 0)
    assert.isTrue(
      runners.every(({ units }) => units > 0),
      JSON.stringify(runners)
    )
    for (const seed of [1, 2]) {
      for (const variant of ["A", "B"]) {
        assert.match(output, new RegExp(`UnitHandedOut variant "${variant}", seed ${seed} goes to `))
        assert.match(output, new RegExp(`UnitComputed variant "${variant}", seed ${seed} computed by \\S+ on native`))
      }
    }
    assert.isFalse(existsSync(join(directory, "runners/exchange")))
  })

  it("go on elsewhere when a runner is killed, and here when none is left", { timeout: 600_000 }, async () => {
    const startedIn = async (directory: string) => {
      const run = startRun(directory, ablation, "native", cluster)
      const begun = join(directory, "A/seed-1/stages/02-qat")
      while (!existsSync(begun)) await new Promise((resolve) => setTimeout(resolve, 20))
      return run
    }
    const finished = async ({ ended }: Running, directory: string) => {
      const { code, output } = await ended
      assert.strictEqual(code, 0, output)
      assert.deepStrictEqual(foundIn(directory), foundIn(place("none")))
      assert.deepStrictEqual(keptIn(directory), keptIn(place("none")))
      return output
    }
    const killed = await startedIn(place("killed"))
    const [, pid] = /UnitHandedOut variant "A", seed 1 goes to \S*-(\d+)-\w+\n/.exec(killed.output())!
    const holder = workers.findIndex((worker) => worker.pid === Number(pid))
    workers.splice(holder, 1)[0]!.kill("SIGKILL")
    await killed.said(new RegExp(`UnitComputed variant "A", seed 1 computed by \\S*-${workers[0]!.pid}-`))
    await finished(killed, place("killed"))
    // What the runner had finished was not computed again.
    const events = eventsIn(place("killed"), "A/seed-1")
    assert.strictEqual(events.split('"StageFinished","stage":"01-adaround-vit"').length - 1, 1)

    // The other one is killed with a run in hand: nobody is left, whatever it has computed before.
    const left = await startedIn(place("left"))
    workers.pop()!.kill("SIGKILL")
    const output = await finished(left, place("left"))
    assert.isAbove(runnersOf(place("left")).here, 0, output)
  })
})
