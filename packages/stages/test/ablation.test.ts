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
      name: "all at once",
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
    assert.deepStrictEqual(readdirSync(join(directory, "all-at-once/seed-1/stages")), ["01-joint-qat", "02-evaluate"])
    const divergences = new Set(scored.map(({ result }) => result.scores[0]!.divergence))
    assert.strictEqual(divergences.size, 6)
    assert.strictEqual(comparison.table.rows.length, 3)
    assert.deepStrictEqual((await run()).scored, scored)
    assert.strictEqual(reused("all-at-once"), 2)
    assert.deepStrictEqual(JSON.parse(readFileSync(join(directory, "ablation.json"), "utf8")), scored)
    const report = readFileSync(join(directory, "report.html"), "utf8")
    assert.include(report, "KL / token against SPEED-Q")
    const sizes = ["MB", "bits / parameter"].map((name) => comparison.table.columns.indexOf(name))
    assert.isTrue(comparison.table.rows.every((row) => sizes.every((at) => /^\d+\.\d+$/.test(String(row[at])))))
    assert.match(report, />MB<\/th>/)
    assert.match(report, /What separates/)
    const told: number[] = []
    const fresh = await run({
      fresh: true,
      onRun: (done: number, runs: number) => Effect.sync(() => told.push(done / runs))
    })
    assert.deepStrictEqual(fresh.scored, scored)
    assert.deepStrictEqual(["SPEED-Q", "CE-only", "all-at-once"].map(reused), [0, 3, 0])
    assert.deepStrictEqual(told, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
  }, 120_000)

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
  })
})
