/** Shards of a step: where they are cut, that their number is a part of the key, and that what they give depends on it alone. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Entry, isEntryOf, RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { shardsOf } from "../src/training/shards.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("shards", runs)
const qat = { ...shortStages.qat, batch: 1, accumulation: 7, maxSteps: 3 }

let directories = 0
const run = async (stage: object, stopAfter?: number, directory = join(root, `run-${directories++}`)) => {
  const recipe = { version: 1, name: "shards", model, seed: 3, save: { everySteps: 1 }, stages: [stage] }
  const stop = stopAfter === undefined ? undefined : { stage: "01-qat", step: stopAfter }
  const { exit, entries } = await runs.run(recipe, directory, stop)
  if (Exit.isFailure(exit) && stop === undefined) throw Cause.squash(exit.cause)
  return { directory, entries }
}
const made = ({ directory }: { readonly directory: string }) =>
  ["quantizedLanguage.safetensors", "projector.safetensors", "data-used.bin"].map((name) =>
    readFileSync(join(directory, "stages/01-qat", name)).toString("base64")
  )
const keyOf = ({ directory }: { readonly directory: string }) =>
  JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).keys["01-qat"]
const metricsOf = (entries: readonly Entry[]) =>
  entries.flatMap((entry) => (isEntryOf(RunEvents.StepDone, entry) ? [entry.event.metrics] : []))

describe("shardsOf", () => {
  it("cuts into parts of nearly equal length, in order, none of them empty", () => {
    const indices = [5, 6, 7, 8, 9, 10, 11]
    assert.deepStrictEqual(shardsOf(indices, 1), [indices])
    assert.deepStrictEqual(shardsOf(indices, 3), [
      [5, 6],
      [7, 8],
      [9, 10, 11]
    ])
    assert.deepStrictEqual(
      shardsOf(indices, 20),
      indices.map((index) => [index])
    )
  })
})

describe("shards", () => {
  it("of 1 are what there was before: the same key and the same bits; more are another result", async () => {
    const [none, one, three] = [
      await run(qat),
      await run({ ...qat, shards: 1 }),
      await run({ ...qat, shards: 3 })
    ] as const
    assert.strictEqual(keyOf(one), keyOf(none))
    assert.deepStrictEqual(made(one), made(none))
    assert.notStrictEqual(keyOf(three), keyOf(none))
    assert.notDeepEqual(made(three).slice(0, 2), made(none).slice(0, 2))
    assert.strictEqual(made(three)[2], made(none)[2], "the same samples are used")
    const [whole, cut] = [metricsOf(none.entries), metricsOf(three.entries)]
    assert.deepStrictEqual(Object.keys(cut[0]!), Object.keys(whole[0]!))
    for (const [name, value] of Object.entries(cut[0]!)) {
      assert.isBelow(Math.abs(value - whole[0]![name]!), 1e-4 * Math.abs(value) + 1e-9, name)
    }
  })

  it("give the same bits again, and in a run that was interrupted", async () => {
    const sharded = { ...qat, shards: 4 }
    const [one, other, stopped] = [await run(sharded), await run(sharded), await run(sharded, 1)]
    const { directory } = stopped
    const rest = await run(sharded, undefined, directory)
    assert.deepStrictEqual(made(other), made(one))
    assert.deepStrictEqual(made(rest), made(one))
    assert.deepStrictEqual([...metricsOf(stopped.entries), ...metricsOf(rest.entries)], metricsOf(one.entries))
  })
})
