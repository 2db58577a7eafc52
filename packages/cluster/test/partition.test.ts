/**
 * Hosts of a network whose cables are cut while a run is shared, files over HTTP: the bytes of one process. Needs a network of the tests'
 * own (Linux, as root), and for the database Debian's package postgresql; skipped without.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { shortStages, writeNanoModel } from "../../stages/test/support/nano.ts"
import { canNetwork, type Network, openNetwork } from "./support/network.ts"
import { postgresPrograms, startPostgres } from "./support/postgres.ts"
import { canHide, endProcesses, filesOf, finishedRun, joinedWorker, runnersOf, startRun } from "./support/processes.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("partition")
const runs = place("runs")
const run = (name: string) => join(runs, name)
const recipe = place("recipe.json")
const env = { SPEEDQ_TOKEN: "the token of these tests" }
const hidden = canHide ? [runs] : []

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

let network: Network
let alone: ReturnType<typeof filesOf>

describe.skipIf(!canNetwork)("on hosts of a network (needs namespaces: Linux, as root)", () => {
  beforeAll(async () => {
    mkdirSync(runs)
    network = await openNetwork()
    const model = await writeNanoModel(place("model"))
    const sharded = { batch: 1, accumulation: 6, maxSteps: 4, shards: 3 }
    const qat = { ...shortStages.qat, ...sharded, loss: { confidenceBatches: 2 } }
    const settings = { version: 1, name: "partition", model, seed: 3, save: { everySteps: 1 } }
    writeFileSync(recipe, JSON.stringify({ ...settings, stages: [qat] }))
    await finishedRun(run("none"), recipe, "native")
    alone = filesOf(run("none"))
  })
  afterAll(() => {
    endProcesses()
    network.close()
  })

  /** So many runners have joined, each on a host of its own. */
  const runnersAt = async (cluster: string, count: number) => {
    const hosts = await Promise.all(Array.from({ length: count }, network.host))
    const runners = await Promise.all(hosts.map((host) => joinedWorker(cluster, "native", { env, hidden, host })))
    return { hosts, runners }
  }
  const unitsOf = (directory: string) => runnersOf(directory).runners.map(({ units }) => units)

  it("files over HTTP come after a cut in a step", async () => {
    const [cluster, directory, home] = [place("cluster"), run("cut"), await network.host()]
    const { hosts, runners } = await runnersAt(cluster, 2)
    const shared = startRun(directory, recipe, "native", cluster, `${home.address}:4711`, { env, host: home })
    await shared.said(/01-qat 2\n/)
    hosts[0]!.cut()
    await pause(3000)
    // Its runner lives, by the database, and is waited for.
    assert.notMatch(shared.output(), /01-qat 4\n/)
    hosts[0]!.mend()
    const { code, output } = await shared.ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /FilesServed runners get files from http:\/\/10\.77\.0\.\d+:4711, with the token/)
    assert.notInclude(output, "UnitComputedHere")
    assert.deepStrictEqual(filesOf(directory), alone)
    assert.isTrue(unitsOf(directory).every((units) => units > 0))
    for (const runner of runners) runner.kill("SIGTERM")
  })

  it.skipIf(postgresPrograms === undefined)(
    "a runner, then the run, without database for longer than it may be silent (needs Debian's package postgresql)",
    async () => {
      const server = await startPostgres(postgresPrograms!, await network.host())
      try {
        const home = await network.host()
        const listen = `${home.address}:4711` as const
        const { hosts, runners } = await runnersAt(server.url, 2)
        const shared = startRun(run("long"), recipe, "native", server.url, listen, { env, host: home })
        await shared.said(/01-qat 2\n/)
        hosts[0]!.cut()
        // What the runner had goes to the other one when it has been silent for too long.
        await shared.said(/RunnersChanged one runner computes: .*01-qat 4\n/s)
        hosts[0]!.mend()
        home.cut()
        const { code, output } = await shared.ended
        assert.strictEqual(code, 0, output)
        assert.match(output, /RunnersChanged no runner of postgres:.* computes; all is computed here\n/)
        assert.deepStrictEqual(filesOf(run("long")), alone)
        // Both runners are back for the next one.
        home.mend()
        await runners[0]!.said(/"Back"/)
        // On a busy machine a runner may be silent for too long by itself, so not every run need have both.
        let computing = 0
        for (let attempt = 0; attempt < 4 && computing < 2; attempt++) {
          const after = run(`after-${attempt}`)
          await finishedRun(after, recipe, "native", server.url, listen, { env, host: home })
          assert.deepStrictEqual(filesOf(after), alone)
          computing = unitsOf(after).filter((units) => units > 0).length
        }
        assert.strictEqual(computing, 2)
        assert.match(runners[0]!.output(), /"Away".*"Back"/s)
        assert.notMatch(runners[0]!.output(), /\n\s+at .+:\d+:\d+/)
        for (const runner of runners) runner.kill("SIGTERM")
      } finally {
        endProcesses()
        await server.end()
      }
    }
  )
})
