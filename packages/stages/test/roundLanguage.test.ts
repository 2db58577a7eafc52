/** Post-training recipes: what is rounded without training is what evaluations round, and what exports hold. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import type { Evaluation } from "../src/evaluate/Evaluation.ts"
import { evaluation, makeNanoRuns, nearestLanguage, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("round", runs)

const round = { use: "round-language", quantizers: shortStages.autoclip.quantizers }
const run = async (name: string, stages: readonly object[]) => {
  const directory = join(root, name)
  const { exit } = await runs.run({ version: 1, name, model, seed: 3, stages }, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return { directory, evaluations: (exit.value as { readonly evaluations: readonly Evaluation[] }).evaluations }
}

describe("round-language", () => {
  it.each([
    { how: "with the ranges of the clipping search", before: [shortStages.autoclip], clipped: true },
    { how: "without ranges", before: [], clipped: false }
  ])("$how makes what an evaluation rounds", async ({ how, before, clipped }) => {
    const { directory, evaluations } = await run(how, [
      ...before,
      evaluation("rounded by the evaluation", { nearest: nearestLanguage, clipped }),
      round,
      { use: "export", format: "packed" },
      evaluation("rounded by the stage")
    ])
    const [byEvaluation, byStage] = evaluations as [Evaluation, Evaluation]
    assert.strictEqual(byStage!.made, "stages")
    assert.deepStrictEqual({ ...byStage, title: "", made: "" }, { ...byEvaluation, title: "", made: "" })
    assert.isAbove(byStage.scores[0]!.divergence!, 0)
    const { layers } = JSON.parse(readFileSync(join(directory, "model/packed/quantization.json"), "utf8"))
    const names = Object.keys(layers)
    assert.strictEqual(names.length, 37)
    assert.isTrue(names.every((name) => name.startsWith("language_model.")))
  })

  it("changes what it makes by clipping", async () => {
    const scores = await Promise.all(
      [[shortStages.autoclip], []].map(async (before, index) => {
        const { evaluations } = await run(`clipping-${index}`, [...before, round, evaluation("rounded")])
        return evaluations[0]!.scores[0]!.divergence!
      })
    )
    assert.notStrictEqual(scores[0], scores[1])
  })

  it("disagrees with a search for other quantizers before any work", async () => {
    const others = [{ match: "**", use: "bilevel", with: { bits: 4, group: 32, scaleGroup: 16 } }]
    const recipe = {
      version: 1,
      name: "other",
      model,
      stages: [shortStages.autoclip, { ...round, quantizers: others }]
    }
    const { exit } = await runs.run(recipe, join(root, "other"))
    assert.isTrue(Exit.isFailure(exit))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.match(error instanceof Error ? error.message : "", /disagree about the quantizer of \d+ layers/)
  })
})
