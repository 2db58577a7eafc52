import { mkdirSync, renameSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { evaluateStage, randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { runSource, temporaryDirectory } from "./support/speedq.ts"

const quickstart = (cwd: string) => runSource("bin/quickstart.ts", [], { cwd })

describe("npm run quickstart", () => {
  it("says in one message that the nano model is missing", async () => {
    const { code, stdout, stderr } = await quickstart(temporaryDirectory())
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(
      stderr,
      /^quantizes the nano model [^\n]*; Ctrl-C saves\nerror: the nano model is missing \(data\/nano\/model\); [^\n]*\n$/
    )
  })

  it("runs both recipes and prints one table and both reports", async () => {
    const directory = temporaryDirectory()
    const model = await randomNano(directory)
    const stages = (bits: number) => [
      evaluateStage("full precision"),
      ...speedqStages(2),
      evaluateStage(`SPEED-Q ${bits}`)
    ]
    mkdirSync(join(directory, "configs"))
    mkdirSync(join(directory, "data", "nano"), { recursive: true })
    for (const bits of [2, 4]) {
      const file = writeRecipe(model, stages(bits), `nano-${bits}bit`, "data/nano/model")
      renameSync(file, join(directory, "configs", `nano-${bits}bit.json`))
    }
    renameSync(model, join(directory, "data", "nano", "model"))

    const { code, stdout, stderr } = await quickstart(directory)
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /\nby its plan, this machine takes about [\d.]+ (ms|s|min)[^\n]*\nspeedq run /)
    assert.match(stderr, /\n01-evaluate: \d+ steps; about [\d.]+ m?s, [^\n]+ left of the run\n/)
    assert.match(stderr, /01-evaluate: finished before, reused/)
    const lines = stdout.trim().split("\n")
    const titles = lines.slice(1, 4).map((line) => line.split(/ {2,}/)[0])
    assert.deepStrictEqual(titles, ["full precision", "SPEED-Q 2", "SPEED-Q 4"])
    assert.deepStrictEqual(lines.slice(5), [
      `report: ${join(directory, "runs", "nano-2bit", "report.html")}`,
      `report: ${join(directory, "runs", "nano-4bit", "report.html")}`
    ])
  })
})
