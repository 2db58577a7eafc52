/** A recipe in bf16: the same bytes however it is interrupted, near the numbers of f32, and never mixed with them. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RunEvents } from "@speedq/pipeline"
import { bfloat16Products } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { eventsOfKind, makeNanoRuns, type Recording, shortStages, writeNanoModel } from "./support/nano.ts"

/** Why this machine's processor has no products in bf16; undefined where it has. */
const missing = (() => {
  try {
    bfloat16Products()
    return undefined
  } catch (error) {
    return String(error)
  }
})()

const root = mkdtempSync(join(tmpdir(), "speedq-bf16-"))
const runs = makeNanoRuns()
let model: string
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

type Arithmetic = string | { readonly [stage: string]: string }
const recipeIn = (arithmetic?: Arithmetic) => ({
  version: 1,
  name: "nano",
  model,
  seed: 7,
  save: { everySteps: 2 },
  ...(arithmetic === undefined ? {} : { arithmetic }),
  stages: [{ ...shortStages.adaround, iterations: 6 }, shortStages.projector, shortStages.qat]
})
const finished = ({ exit, entries }: Recording) => {
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return entries
}
const lossesOf = (recording: Recording): readonly number[] =>
  eventsOfKind(RunEvents.StepDone, finished(recording)).flatMap(({ metrics }) => metrics["loss"] ?? [])

describe.skipIf(missing !== undefined)(
  `a recipe in bf16${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    const whole = join(root, "bf16")
    let rounded: Recording
    let single: Recording

    beforeAll(async () => {
      model = await writeNanoModel(join(root, "model"))
      rounded = await runs.run(recipeIn("bf16"), whole)
      single = await runs.run(recipeIn(), join(root, "f32"))
    })

    it("learns what f32 learns, in other numbers", () => {
      const [actual, expected] = [lossesOf(rounded), lossesOf(single)]
      assert.strictEqual(actual.length, expected.length)
      assert.notDeepEqual(actual, expected)
      for (const [step, loss] of actual.entries()) assert.closeTo(loss, expected[step]!, 0.05 * expected[step]!)
    })

    it("ends with the same bytes when it was interrupted in every stage", async () => {
      const again = join(root, "again")
      for (const [stage, step] of [
        ["01-adaround-vit", 3],
        ["02-train-projector", 2],
        ["03-qat", 1]
      ] as const) {
        const { exit } = await runs.run(recipeIn("bf16"), again, { stage, step })
        assert.isTrue(Exit.isFailure(exit), stage)
      }
      finished(await runs.run(recipeIn("bf16"), again))
      assert.deepStrictEqual(resultsOf(again), resultsOf(whole))
    })

    it("computes a stage anew whose arithmetic changed, and those that build on it", async () => {
      const entries = finished(await runs.run(recipeIn({ "adaround-vit": "bf16", "train-projector": "bf16" }), whole))
      assert.lengthOf(eventsOfKind(RunEvents.StageReused, entries), 2)
      assert.lengthOf(eventsOfKind(RunEvents.StageFinished, entries), 1)
      assert.isTrue(Exit.isSuccess((await runs.run(recipeIn("f32"), whole)).exit))
      assert.deepStrictEqual(resultsOf(whole), resultsOf(join(root, "f32")))
    })
  }
)

it("refused before any work where nothing multiplies bf16", async () => {
  const before = process.env["SPEEDQ_ONEDNN"]
  const none = makeNanoRuns()
  try {
    // Read when the backend starts, which is when it is first used.
    process.env["SPEEDQ_ONEDNN"] = "none"
    model ??= await writeNanoModel(join(root, "model"))
    const { exit } = await none.run(recipeIn("bf16"), join(root, "refused"))
    assert.isTrue(Exit.isFailure(exit))
    assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /no arithmetic in bf16: .*bf16-or-f32/)
  } finally {
    await none.dispose()
    if (before === undefined) delete process.env["SPEEDQ_ONEDNN"]
    else process.env["SPEEDQ_ONEDNN"] = before
  }
})
