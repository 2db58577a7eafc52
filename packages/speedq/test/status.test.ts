import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { fails, works } from "./support/inProcess.ts"
import { temporaryDirectory } from "./support/speedq.ts"

/** A run that was killed before its only stage began. */
const stoppedRun = (directory: string): string => {
  mkdirSync(directory, { recursive: true })
  const record = { format: 2, recipe: { stages: [{ use: "qat" }] }, keys: {}, build: "b", surroundings: {} }
  const times = { startedAt: "2026-01-01T00:00:00.000Z", continuedAt: [] }
  writeFileSync(join(directory, "run.json"), JSON.stringify({ ...record, ...times }))
  return directory
}

describe("speedq status", () => {
  it("lists the runs below a folder, a line each", async () => {
    const folder = temporaryDirectory()
    const runs = ["a", "b"].map((name) => stoppedRun(join(folder, name)))
    const { stdout } = await works(["status", folder])
    const [head = "", ...lines] = stdout.trim().split("\n")
    assert.match(head, /^run +stages +done +left$/)
    assert.strictEqual(lines.length, 2)
    for (const [index, run] of runs.entries()) assert.match(lines[index] ?? "", new RegExp(`^${run} +0/1 .*stopped`))
  })

  it("watches until no run is at work", async () => {
    const run = stoppedRun(join(temporaryDirectory(), "run"))
    const { stdout } = await works(["status", run, "--watch"])
    assert.strictEqual(stdout.match(/0 of 1 stages/g)?.length, 1)
    assert.include(stdout, `"speedq run ${run}" continues`)
    assert.match((await fails(["status", run, "--watch", "--json"], 2)).message, /--watch shows text/)
  })
})
