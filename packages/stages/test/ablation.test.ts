/** Variants of one recipe over several seeds, run by one call and compared with standard errors. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { decodeAblation, decodeAblationDocument, isAblation, runAblation, Sinks } from "@speedq/pipeline"
import { byLastEvaluation, stages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { makeNanoRuns, nanoData, nearest, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("ablation", runs)

const base = () => ({
  version: 1,
  name: "base",
  model,
  stages: [
    { use: "evaluate", title: "left out", benchmarks: [{ name: "nano", data: "none.tsv" }] },
    { ...shortStages.adaround, iterations: 3 },
    { ...shortStages.projector, maxSteps: 3 },
    shortStages.autoclip,
    { ...shortStages.qat, maxSteps: 3 },
    {
      use: "evaluate",
      title: "SPEED-Q",
      benchmarks: [{ name: "nano", data: join(nanoData, "evaluation/caption.tsv"), limit: 2 }],
      divergence: 2
    }
  ]
})
const document = (more: object = {}) => ({
  version: 1,
  name: "nano ablation",
  base: "base.json",
  seeds: [1, 2],
  without: ["evaluate"],
  set: ["qat.learningRate=1e-3"],
  variants: [
    { name: "SPEED-Q" },
    { name: "CE only", set: ["qat.loss.cakld=0"] },
    {
      name: "nearest",
      random: false,
      against: "CE only",
      without: ["train-projector", "autoclip"],
      set: ["adaround-vit.iterations=0"],
      replace: { qat: { use: "round-language" } }
    },
    {
      name: "all at once",
      seeds: [2],
      without: ["adaround-vit", "train-projector", "autoclip"],
      replace: { qat: { use: "joint-qat", quantizers: nearest.slice(0, 2) } }
    }
  ],
  ...more
})

const decoded = (json: object) =>
  Effect.flatMap(decodeAblationDocument(json), (ablation) => decodeAblation(stages, ablation, base()))

describe("an ablation", () => {
  it("runs every variant with every seed, shares what they have in common, and compares them", async () => {
    assert.isTrue(isAblation(document()))
    assert.isFalse(isAblation(base()))
    const directory = join(root, "runs")
    const run = (more: object = {}) =>
      runs.runtime.runPromise(
        Effect.flatMap(decoded(document()), (ablation) =>
          runAblation(ablation, { directory, judgement: byLastEvaluation, sinks: () => Sinks.silent, ...more })
        )
      )
    const { scored, comparison } = await run()
    assert.strictEqual(scored.length, 6)
    const eventsOf = (variant: string) => readFileSync(join(directory, variant, "seed-2/events.jsonl"), "utf8")
    const reused = (variant: string) => eventsOf(variant).split("StageReused").length - 1
    assert.deepStrictEqual(["SPEED-Q", "CE-only", "all-at-once"].map(reused), [0, 3, 0])
    assert.deepStrictEqual(readdirSync(join(directory, "all-at-once")), ["seed-2"])
    assert.deepStrictEqual(readdirSync(join(directory, "nearest")), ["seed-1"])
    assert.deepStrictEqual(readdirSync(join(directory, "all-at-once/seed-2/stages")), ["01-joint-qat", "02-evaluate"])
    const divergences = new Set(scored.map(({ result }) => result.scores[0]!.divergence))
    assert.strictEqual(divergences.size, 6)
    // What CE only shares with SPEED-Q was computed there: its time counts, that of the evaluation does not.
    const spent = (variant: string): readonly number[] =>
      eventsOf(variant)
        .split("\n")
        .flatMap((line) => (line.includes('"StageFinished"') ? [JSON.parse(line)] : []))
        .flatMap(({ stage, data }) => (stage.endsWith("evaluate") ? [] : [data.milliseconds]))
    const [shared, own] = [spent("SPEED-Q").slice(0, 3), spent("CE-only")]
    assert.strictEqual(own.length, 1)
    const timeOf = (variant: string) =>
      scored.find((each) => each.variant === variant && each.seed === 2)!.milliseconds!
    assert.closeTo(
      timeOf("CE only"),
      [...shared, ...own].reduce((sum, time) => sum + time),
      1e-6
    )

    const [means, differences, kinds] = comparison.tables
    assert.deepStrictEqual(
      means!.rows.map(([name, count]) => [name, count]),
      [
        ["SPEED-Q", 2],
        ["CE only", 2],
        ["nearest", 1],
        ["all at once", 1]
      ]
    )
    assert.deepStrictEqual(
      differences!.rows.map(([name, against]) => [name, against]),
      [
        ["CE only", "SPEED-Q"],
        ["nearest", "CE only"],
        ["all at once", "SPEED-Q"]
      ]
    )
    // Rounding is compared with both seeds of CE only; all at once with the seed that it has.
    const divergenceAt = differences!.columns.indexOf("KL / token")
    const [, ofNearest, ofAll] = differences!.rows.map((row) => String(row[divergenceAt]))
    assert.include(ofNearest, "±")
    assert.notInclude(ofAll, "±")
    assert.match(comparison.separation.paragraphs.join("\n"), /A single difference from SPEED-Q.*all at once/)
    assert.deepStrictEqual(kinds!.columns.slice(0, 2), ["variant", "caption (2)"])

    assert.deepStrictEqual((await run()).scored, scored)
    assert.strictEqual(reused("all-at-once"), 2)
    const written = JSON.parse(readFileSync(join(directory, "ablation.json"), "utf8"))
    assert.deepStrictEqual(written, {
      runs: scored,
      tables: comparison.tables,
      separation: comparison.separation.paragraphs
    })
    const report = readFileSync(join(directory, "report.html"), "utf8")
    const pasted = readFileSync(join(directory, "ablation.md"), "utf8")
    for (const { title } of comparison.tables) {
      assert.include(report, title)
      assert.include(pasted, `**${title}**\n\n| variant |`)
    }
    const sizes = ["MB", "bits / parameter"].map((name) => means!.columns.indexOf(name))
    assert.isTrue(means!.rows.every((row) => sizes.every((at) => /^\d+\.\d+$/.test(String(row[at])))))
    assert.match(report, />MB<\/th>/)
    assert.match(report, /What separates/)
    const told: number[] = []
    const fresh = await run({
      fresh: true,
      onRun: (done: number, runs: number) => Effect.sync(() => told.push(done / runs))
    })
    const untimed = scored.map(({ milliseconds: _, ...rest }) => rest)
    assert.deepStrictEqual(
      fresh.scored.map(({ milliseconds: _, ...rest }) => rest),
      untimed
    )
    assert.deepStrictEqual(["SPEED-Q", "CE-only", "all-at-once"].map(reused), [0, 3, 0])
    assert.deepStrictEqual(told, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
  })

  it("says which variant is wrong, and what the base recipe has", async () => {
    const problems = (json: object) =>
      runs.runtime.runPromise(Effect.map(Effect.flip(decoded(json)), ({ message }) => message))
    const unknown = await problems(document({ variants: [{ name: "x", without: ["qatt"] }] }))
    assert.match(unknown, /variant "x": the base recipe has no stage "qatt"; it has evaluate, adaround-vit/)
    const setting = await problems(document({ variants: [{ name: "x", set: ["qat.los.cakld=0"] }] }))
    assert.match(setting, /variant "x": .*no "qat\.los\.cakld" to set; did you mean qat\.loss\.cakld/)
    const order = await problems(document({ variants: [{ name: "x", without: ["adaround-vit"] }] }))
    assert.match(order, /variant "x": .*train-projector needs "quantizedVision"/)
    assert.match(await problems(document({ variants: [{ name: "x" }, { name: "x" }] })), /two are called "x"/)
    const alike = await problems(document({ variants: [{ name: "a b" }, { name: "A-b" }] }))
    assert.match(alike, /variants: "a b" and "A-b" would have one directory/)
    assert.match(await problems(document({ variants: [{ name: ".." }] })), /no directory can be called after ".."/)
    assert.match(await problems(document({ seeds: [] })), /seeds/)
    const foreign = await problems(document({ variants: [{ name: "x", seeds: [1, 3] }] }))
    assert.match(foreign, /variant "x": seeds 3 are not among the ablation's, which are 1, 2/)
    const pair = (against: string) => problems(document({ variants: [{ name: "x" }, { name: "y", against }] }))
    assert.match(await pair("z"), /variant "y": there is no other variant "z"; there are "x"/)
    assert.match(await pair("y"), /variant "y": there is no other variant "y"; there are "x"/)
  })
})
