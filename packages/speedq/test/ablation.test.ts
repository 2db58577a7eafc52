import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { hasPseudoTerminal, onTerminal } from "../../pipeline/test/support/pseudoTerminal.ts"
import type { AblationPlan } from "../src/recipes/planAblation.ts"
import type { AblationOutcome } from "../src/recipes/runAblation.ts"
import { json, speedq } from "./support/inProcess.ts"
import { evaluateStage, randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { speedqProgram, temporaryDirectory } from "./support/speedq.ts"

const ownVariants: readonly object[] = [
  { name: "SPEED-Q" },
  { name: "CE only", set: ["qat.loss.cakld=0"] },
  { name: "all at once", without: ["adaround-vit", "train-projector"], replace: { qat: { use: "joint-qat" } } }
]

/** Writes a base recipe and an ablation of it beside the model. */
const writeAblation = (model: string, variants = ownVariants): string => {
  writeRecipe(model, [evaluateStage("before"), ...speedqStages(3), evaluateStage("after")], "base")
  const file = join(model, "..", "ablation.json")
  const document = {
    version: 1,
    name: "small ablation",
    base: "base.json",
    seeds: [1, 2],
    without: ["evaluate"],
    set: ["evaluate-2.divergence=2"],
    variants
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
    const row = (name: string) => stdout.split("\n").find((line) => line.startsWith(name))
    assert.match(stdout, /^small ablation\nvariant +seeds +short\.tsv +KL \/ token +MB +bits \/ parameter +time\n/)
    const time = "\\d+(\\.\\d s| ms| min \\d+ s)"
    const numbers = "\\d+\\.\\d ± \\d+\\.\\d +\\d\\S* ± \\d\\S* +\\d\\.\\d{3} +\\d+\\.\\d{2}"
    assert.match(row("SPEED-Q ")!, new RegExp(`^SPEED-Q +2 +${numbers} +${time}$`))
    assert.match(stdout, /\nDifferences\nvariant +against +short\.tsv +KL \/ token\nCE only +SPEED-Q +\S+ ± /)
    assert.match(stdout, /\nRight answers by kind, %\nvariant +short \(2\)/)
    assert.match(stdout, /\nHeads: numbers of questions\./)
    assert.match(stdout, /\nDoes not separate from SPEED-Q: .*\n\nreport: .*report\.html\n$/)
    assert.include(readFileSync(join(out, "report.html"), "utf8"), "Does not separate from SPEED-Q")

    const again = (await json(args)) as AblationOutcome
    assert.deepStrictEqual(again.seeds, [1, 2])
    assert.strictEqual(again.runs.length, 6)
    assert.isTrue(again.runs.every((run) => existsSync(join(run.directory, "report.html"))))
    assert.deepStrictEqual(
      again.tables.map(({ rows }) => rows.length),
      [3, 2, 3]
    )
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
  })

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
    assert.match(stdout, /^all at once +2 +01-joint-qat, 02-evaluate +\d.* unknown$/m)
    assert.match(stdout, /^stages: 16 to run/m)
    assert.match(stdout, /^time: +unknown$/m)
    const timed = await speedq(["plan", file])
    assert.match(timed.stdout, /^all at once +2 +01-joint-qat, 02-evaluate +\d.* about \d.*s$/m)
    assert.match(timed.stdout, /^time: +about \d/m)
  })

  it("is planned with the seeds that its variants have", async () => {
    const file = writeAblation(await randomNano(temporaryDirectory()), [
      { name: "SPEED-Q" },
      { name: "CE only", seeds: [2], set: ["qat.loss.cakld=0"] },
      { name: "as it is", random: false, without: ["adaround-vit", "train-projector", "qat"] }
    ])
    const planned = async (...more: readonly string[]) => {
      const { variants, stages } = (await json(["plan", file, "--no-time", ...more])) as AblationPlan
      return { seeds: variants.map(({ seeds }) => seeds), runs: stages.runs }
    }
    // CE only has its training and its evaluation for itself.
    assert.deepStrictEqual(await planned(), { seeds: [[1, 2], [2], [1]], runs: 2 * 4 + 2 + 1 })
    assert.deepStrictEqual(await planned("--set", "seeds=5,2"), { seeds: [[5, 2], [2], [5]], runs: 2 * 4 + 2 + 1 })
    const none = await speedq(["plan", file, "--no-time", "--set", "seeds=7"])
    assert.strictEqual(none.code, 1)
    assert.match(none.stderr, /variant "CE only": seeds 2 are not among the ablation's, which are 7/)
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
