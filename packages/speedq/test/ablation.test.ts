import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { hasPseudoTerminal, onTerminal } from "../../pipeline/test/support/pseudoTerminal.ts"
import type { AblationPlan } from "../src/recipes/planAblation.ts"
import type { AblationOutcome } from "../src/recipes/runAblation.ts"
import { json, speedq } from "./support/inProcess.ts"
import { evaluateStage, randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { speedqProgram, temporaryDirectory } from "./support/speedq.ts"

/** Writes a base recipe and an ablation of it beside the model. */
const writeAblation = (model: string): string => {
  writeRecipe(model, [evaluateStage("before"), ...speedqStages(3), evaluateStage("after")], "base")
  const file = join(model, "..", "ablation.json")
  const document = {
    version: 1,
    name: "small ablation",
    base: "base.json",
    seeds: [1, 2],
    without: ["evaluate"],
    set: ["evaluate-2.divergence=2"],
    variants: [
      { name: "SPEED-Q" },
      { name: "CE only", set: ["qat.loss.cakld=0"] },
      { name: "all at once", without: ["adaround-vit", "train-projector"], replace: { qat: { use: "joint-qat" } } }
    ]
  }
  writeFileSync(file, JSON.stringify(document))
  return file
}

describe("an ablation on the command line", () => {
  it("runs every variant and seed, says what does not separate, and continues", async () => {
    const directory = temporaryDirectory()
    const out = join(directory, "ablation")
    const file = writeAblation(await randomNano(directory))
    const args = ["run", file, "--out", out, "--backend", "native:none", "--set", "qat.maxSteps=2"]
    const { code, stdout, stderr } = await speedq(args)
    assert.strictEqual(code, 0, stderr)
    assert.match(stderr, /starting small ablation: SPEED-Q, seed 1:/)
    assert.match(stderr, /run 5 of 6 is done, about .* left\n/)
    // One of the shared stages: of the three variants of a seed, only the first rounds the tower and trains the projector.
    assert.strictEqual(stderr.split("02-train-projector: finished before, reused").length - 1, 2)
    // Of the teacher, the mean confidence is measured first: a step a batch.
    assert.match(stderr, /03-qat: 2 steps/)
    assert.match(stderr, /01-joint-qat: 4 steps/)
    // Too wide for a terminal with one row a variant: rows and columns are exchanged.
    const row = (name: string) => stdout.split("\n").find((line) => line.startsWith(name))
    assert.match(stdout, /^small ablation\nvariant +SPEED-Q +CE only +all at once\nseeds +2 +2 +2\n/)
    assert.match(row("short.tsv ")!, /^short\.tsv( +\d+\.\d ± \d+\.\d){3}$/)
    assert.match(row("KL / token ")!, /^KL \/ token( +\d\S* ± \d\S*){3}$/)
    assert.match(row("MB ")!, /^MB( +\d\.\d{3}){3}$/)
    assert.match(row("bits / parameter ")!, /^bits \/ parameter( +\d+\.\d{2}){3}$/)
    assert.match(row("KL / token against SPEED-Q")!, /± /)
    assert.notMatch(stdout, /MB against/)
    assert.match(stdout, /\nDoes not separate from SPEED-Q: .*\n\nreport: .*report\.html\n$/)
    assert.include(readFileSync(join(out, "report.html"), "utf8"), "Does not separate from SPEED-Q")

    const again = (await json(args)) as AblationOutcome
    assert.deepStrictEqual(again.seeds, [1, 2])
    assert.strictEqual(again.runs.length, 6)
    assert.isTrue(again.runs.every((run) => existsSync(join(run.directory, "report.html"))))
    assert.strictEqual(again.tables[0]?.rows.length, 3)
    assert.match(again.separation.join("\n"), /95 % confidence/)

    if (hasPseudoTerminal) {
      const changed = speedqProgram([...args.slice(0, -1), "qat.maxSteps=1"])
      const { code, text } = await onTerminal(changed, { when: "Compute them again?", type: "n" })
      assert.strictEqual(code, 1, text)
      assert.include(text, `${out} holds results of other settings, which are computed again:`)
      assert.match(text, /^03-qat +4 runs .*config\.maxSteps: 2 -> 1\r$/m)
      assert.match(text, /^01-joint-qat +2 runs .*config\.maxSteps: 2 -> 1\r$/m)
      assert.match(text, /^They move to superseded in their runs; --out DIR begins another ablation\.\r$/m)
      assert.include(text, `nothing was done; ${out} is as it was`)
    }

    const status = await speedq(["status", out])
    assert.match(status.stdout, /CE-only\/seed-2 +4\/4 +finished/)
    const runs = (await json(["status", out])) as { readonly runs: readonly { readonly state: string }[] }
    assert.deepStrictEqual(
      runs.runs.map(({ state }) => state),
      Array.from({ length: 6 }, () => "finished")
    )
  }, 240_000)

  it("is planned variant by variant, stages in common counted once", async () => {
    const file = writeAblation(await randomNano(temporaryDirectory()))
    const planned = (await json(["plan", file, "--no-time", "--set", "seeds=4,5,6"])) as AblationPlan
    assert.deepStrictEqual(planned.seeds, [4, 5, 6])
    assert.deepStrictEqual(
      planned.variants.map(({ variant, forecast }) => [variant, forecast.stages.length]),
      [
        ["SPEED-Q", 4],
        ["CE only", 4],
        ["all at once", 2]
      ]
    )
    // A seed: rounding and projector once; qat, qat, joint-qat; an evaluation each.
    assert.strictEqual(planned.stages.runs, 3 * 8)
    assert.isTrue(planned.fits)
    const { code, stdout } = await speedq(["plan", file, "--no-time"])
    assert.strictEqual(code, 0)
    assert.match(stdout, /^all at once +01-joint-qat, 02-evaluate +\d/m)
    assert.match(stdout, /^stages: 16 to run/m)
  })

  it("takes wrong settings for wrong usage, and names a base that is not there", async () => {
    const directory = temporaryDirectory()
    const file = writeAblation(join(directory, "model"))
    const seed = await speedq(["run", file, "--set", "seed=3"])
    assert.strictEqual(seed.code, 2)
    assert.match(seed.stderr, /an ablation has several seeds; --set seeds=1,2,3/)
    const unknown = await speedq(["plan", file, "--set", "qat.maxStep=3"])
    assert.strictEqual(unknown.code, 2)
    assert.match(unknown.stderr, /did you mean .*qat\.maxSteps/)
    for (const wrong of ["one", "-1"]) {
      const seeds = await speedq(["plan", file, "--set", `seeds=${wrong}`])
      assert.strictEqual(seeds.code, 2)
      assert.match(seeds.stderr, /^error: --set: seeds\[0\]: Expected .*got "?(one|-1)/)
    }
    const value = await speedq(["run", file, "--set", "qat.maxSteps=-1"])
    assert.strictEqual(value.code, 2)
    assert.match(value.stderr, /variant "SPEED-Q": 03-qat\.maxSteps: Expected a value greater than 0, got -1/)
    writeFileSync(file, readFileSync(file, "utf8").replace("base.json", "bass.json"))
    const missing = await speedq(["run", file])
    assert.strictEqual(missing.code, 1)
    assert.match(missing.stderr, /^error: no recipe .*bass\.json: there is no such file; did you mean .*base\.json/)
  })
})
