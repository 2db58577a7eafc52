/** The same on PostgreSQL, as several hosts have it. Needs Debian's package postgresql; skipped where it is not installed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { postgresPrograms, startPostgres } from "./support/postgres.ts"
import { endProcesses, finishedRun, joinedWorker, madeBy, runnersOf, startRun } from "./support/processes.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-cluster-postgres-"))
afterAll(() => {
  endProcesses()
  rmSync(root, { recursive: true, force: true })
})

describe.skipIf(postgresPrograms === undefined)("on PostgreSQL (Debian's package postgresql)", () => {
  it("two runners give the bytes of none, also when the server goes down in a step", async () => {
    const server = await startPostgres(postgresPrograms!)
    try {
      const model = await writeNanoModel(join(root, "model"))
      const qat = {
        ...shortStages.qat,
        batch: 1,
        accumulation: 6,
        maxSteps: 3,
        shards: 3,
        loss: { confidenceBatches: 1 }
      }
      const recipe = join(root, "recipe.json")
      const settings = { version: 1, name: "postgres", model, seed: 3, save: { everySteps: 1 } }
      writeFileSync(recipe, JSON.stringify({ ...settings, stages: [qat] }))
      // Runners of another backend, which are there first, must not keep others out.
      const stranger = await joinedWorker(server.url, "reference")
      const [, first, second] = await Promise.all([
        finishedRun(join(root, "none"), recipe, "native"),
        joinedWorker(server.url, "native"),
        joinedWorker(server.url, "native")
      ])
      const alone = madeBy(join(root, "none"))

      await finishedRun(join(root, "two"), recipe, "native", server.url)
      assert.deepStrictEqual(madeBy(join(root, "two")), alone)
      const units = runnersOf(join(root, "two")).runners.map(({ units }) => units)
      assert.strictEqual(units.filter((count) => count > 0).length, 2)
      assert.strictEqual(
        units.reduce((a, b) => a + b),
        9
      )

      const run = startRun(join(root, "down"), recipe, "native", server.url)
      await run.said(/01-qat 2\n/)
      await server.restart()
      const { code, output } = await run.ended
      assert.strictEqual(code, 0, output)
      assert.deepStrictEqual(madeBy(join(root, "down")), alone)
      for (const worker of [stranger, first, second]) worker.kill("SIGTERM")
    } finally {
      endProcesses()
      await server.end()
    }
  })
})
