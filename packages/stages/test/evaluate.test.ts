/** Rows that are asked together get the answers and the divergence that they get one by one. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import type { Evaluation } from "../src/evaluate/Evaluation.ts"
import { isSpread } from "../src/evaluate/gallery.ts"
import { makeNanoRuns, nanoData, nearest, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("evaluate", runs)

/** Evaluates the model, rounded to nearest, asking `batch` rows at once. */
const evaluated = async (batch: number) => {
  const directory = join(root, `batch-${batch}`)
  const benchmarks = ["caption", "short"].map((name) => ({
    name: "nano",
    data: join(nanoData, `evaluation/${name}.tsv`),
    limit: 8
  }))
  const stage = { use: "evaluate", title: "nearest", benchmarks, divergence: 6, nearest, batch }
  const recipe = { version: 1, name: "together", model, seed: 1, save: { everySteps: 1 }, stages: [stage] }
  const interrupted = await runs.run(recipe, directory, { stage: "01-evaluate", step: 1 })
  assert.isTrue(Exit.isFailure(interrupted.exit))
  const { exit } = await runs.run(recipe, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  const { evaluations } = exit.value as { readonly evaluations: readonly Evaluation[] }
  const files = readdirSync(join(directory, "stages/01-evaluate")).filter((name) => name.endsWith(".tsv"))
  const predictions = files.map((name) => readFileSync(join(directory, "stages/01-evaluate", name), "utf8"))
  return { scores: evaluations[0]!.scores, predictions }
}

describe("evaluate", () => {
  it("gives the same answers and divergence however many rows go together", async () => {
    const [alone, together] = [await evaluated(1), await evaluated(5)]
    assert.strictEqual(alone.predictions.length, 2)
    assert.isAbove(new Set(alone.predictions[0]!.split("\n")).size, 8)
    assert.deepStrictEqual(together.predictions, alone.predictions)
    for (const [at, { divergence, divergenceTokens }] of alone.scores.entries()) {
      assert.isAbove(divergence!, 0)
      assert.strictEqual(together.scores[at]!.divergenceTokens, divergenceTokens)
      assert.closeTo(together.scores[at]!.divergence!, divergence!, 1e-4 * divergence!)
    }
  })

  it("leaves the score files of `speedq evaluate` beside the predictions", async () => {
    const benchmarks = [{ name: "nano", data: join(nanoData, "evaluation/short.tsv"), limit: 3 }]
    const stage = { use: "evaluate", title: "nearest", benchmarks, nearest, batch: 3 }
    const directory = join(root, "files")
    const { exit } = await runs.run({ version: 1, name: "files", model, stages: [stage] }, directory)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    const { evaluations } = exit.value as { readonly evaluations: readonly Evaluation[] }
    const { overall, categories } = evaluations[0]!.scores[0]!
    const written = (name: string) => readFileSync(join(directory, "stages/01-evaluate", name), "utf8")
    assert.strictEqual(written("short_nano.tsv").trim().split("\n").length, 4)
    assert.deepInclude(JSON.parse(written("short_nano_result.json")), { benchmark: "nano", overall })
    const [header, line, ...more] = written("short_nano_acc.csv").trim().split("\n")
    const [, ...names] = JSON.parse(`[${header}]`) as readonly string[]
    const [, ...shares] = JSON.parse(`[${line}]`) as readonly string[]
    assert.sameMembers([...names], ["Overall", ...Object.keys(categories)])
    for (const [at, name] of names.entries()) {
      const expected = name === "Overall" ? overall : categories[name]!.score
      assert.closeTo(100 * Number(shares[at]), expected, 1e-9, name)
    }
    assert.deepStrictEqual(more, [])
  })

  it("clamps to the ranges of the clipping search where that is asked for", async () => {
    const benchmarks = [{ name: "nano", data: join(nanoData, "evaluation/short.tsv"), limit: 2 }]
    const stage = { use: "evaluate", title: "nearest", benchmarks, divergence: 2, nearest, batch: 2 }
    const stages = [stage, shortStages.autoclip, stage, { ...stage, clipped: true }]
    const { exit } = await runs.run({ version: 1, name: "clipped", model, stages }, join(root, "clipped"))
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    const { evaluations } = exit.value as { readonly evaluations: readonly Evaluation[] }
    const [before, after, clipped] = evaluations.map(({ scores }) => scores[0]!.divergence!)
    assert.strictEqual(after, before)
    assert.notStrictEqual(clipped, before)
    assert.isAbove(clipped!, 0)
  })

  it("spreads chosen rows evenly", () => {
    const chosen = (rows: number, count: number) => [...Array(rows).keys()].filter((row) => isSpread(row, rows, count))
    assert.deepStrictEqual(chosen(10, 3), [0, 3, 6])
    assert.deepStrictEqual(chosen(3, 5), [0, 1, 2])
    assert.deepStrictEqual(chosen(4, 0), [])
    for (const [rows, count] of [
      [1040, 300],
      [7, 6],
      [300, 1]
    ] as const) {
      assert.strictEqual(chosen(rows, count).length, count)
    }
  })
})
