/** Losses of extensions in a recipe: trained with, told of, and refused, as ours are. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { CakldConfig, CrossEntropyConfig, cakld, crossEntropy, type Loss, weighted } from "@speedq/distillation"
import { isEntryOf, RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { builtIn } from "../src/extensions/Extensions.ts"
import { makeNanoRuns, type Recording, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

/** Ours under other names, `strength` times as strong; what they call their parts can be chosen. */
const StrongConfig = Schema.Struct({ ...CrossEntropyConfig.fields, strength: Schema.Finite, part: Schema.String })
const strong: Loss<typeof StrongConfig.Type> = {
  id: "strong",
  version: 1,
  description: "cross entropy of some strength",
  Config: StrongConfig,
  needsTeacher: () => false,
  rowLoss: ({ strength, part, ...config }) => ({ ...weighted(strength, crossEntropy(config)), name: part })
}
const followed: Loss<typeof CakldConfig.Type> = {
  id: "followed",
  version: 1,
  description: "CAKLD by another name",
  Config: CakldConfig,
  needsTeacher: () => true,
  rowLoss: (config, { confidence }) => cakld({ ...config, confidence })
}

const runs = makeNanoRuns({ ...builtIn, losses: [...builtIn.losses, strong, followed] })
const { root, model } = await nanoFolder("losses", runs)

let directories = 0
const train = async (loss: object) => {
  const directory = join(root, `run-${directories++}`)
  const stages = [{ ...shortStages.qat, maxSteps: 2, loss }]
  const recording = await runs.run({ version: 1, name: "losses", model, seed: 3, stages }, directory)
  return { directory, ...recording }
}

const metricsOf = ({ entries }: Recording) =>
  entries.flatMap((entry) => (isEntryOf(RunEvents.StepDone, entry) ? [entry.event.metrics] : []))
const trained = (directory: string) =>
  ["projector", "quantizedLanguage"].map((name) => readFileSync(join(directory, `stages/01-qat/${name}.safetensors`)))
const report = (directory: string) => readFileSync(join(directory, "stages/01-qat/report.json"), "utf8")
const failureOf = ({ exit }: Recording) => String(Exit.isFailure(exit) && Cause.squash(exit.cause))

describe("a loss of an extension", () => {
  it("trains as ours do: the same loss under another name gives the same bits", async () => {
    const none = { crossEntropy: 0, cakld: 0 }
    const own = { use: "strong", factor: 0.5, with: { labelSmoothing: 0.2, strength: 4, part: "mine" } }
    const ours = await train({ crossEntropy: 2, labelSmoothing: 0.2, cakld: 0 })
    const other = await train({ ...none, others: [own] })
    assert.isTrue(Exit.isSuccess(ours.exit) && Exit.isSuccess(other.exit))
    assert.deepEqual(trained(other.directory), trained(ours.directory))
    const renamed = metricsOf(ours).map(({ ce, ...metrics }) => ({ ...metrics, mine: ce }))
    assert.deepEqual(metricsOf(other), renamed)
    assert.lengthOf(metricsOf(other), 2)
    assert.include(report(other.directory), 'Loss \\"strong\\", factor 0.5: cross entropy of some strength.')
  })

  it("gets the teacher, and what was measured of it", async () => {
    const settings = { crossEntropy: 0, confidenceBatches: 2 }
    const ours = await train({ ...settings, cakld: 0.5 })
    const other = await train({ ...settings, cakld: 0, others: [{ use: "followed", factor: 0.5 }] })
    assert.isTrue(Exit.isSuccess(ours.exit) && Exit.isSuccess(other.exit))
    assert.deepEqual(trained(other.directory), trained(ours.directory))
    assert.deepEqual(metricsOf(other), metricsOf(ours))
    assert.lengthOf(metricsOf(other), 2 + 2)
    assert.match(report(other.directory), /A teacher with beta = 0\.\d{4}, the teacher's mean confidence/)
  })

  it("is added to ours", async () => {
    const own = { use: "strong", with: { strength: 1, part: "mine" } }
    const metrics = metricsOf(await train({ confidence: 0.5, others: [own] }))
    for (const { loss, ce, kd, mine } of metrics) {
      assert.closeTo(loss!, ce! + kd! + mine!, 1e-5 * loss!)
      assert.notStrictEqual(mine, ce)
    }
    assert.lengthOf(metrics, 2)
  })

  it("that calls its part as another loss of the stage does is refused before any work", async () => {
    const named = (part: string, factor = 1) => ({ use: "strong", factor, with: { strength: 1, part } })
    const refused = async (loss: object, message: RegExp) => {
      const ended = await train(loss)
      assert.match(failureOf(ended), message)
      assert.deepEqual(metricsOf(ended), [])
      assert.isFalse(existsSync(join(ended.directory, "stages/01-qat")))
    }
    await refused({ others: [named("ce")] }, /losses "cross-entropy" and "strong" both call their part "ce"; name one/)
    await refused(
      { others: [{ use: "followed" }] },
      /losses "cakld" and "followed" both call their part "kd"; name one/
    )
    await refused({ others: [named("a"), named("a")] }, /loss "strong" is there twice, .*"a"; leave one out/)
    // What is not added up has no part.
    const alone = await train({ crossEntropy: 0, confidence: 0.5, others: [named("ce"), named("kd", 0)] })
    assert.isTrue(Exit.isSuccess(alone.exit))
    const twice = await train({ confidence: 0.5, others: [named("a"), named("b")] })
    assert.isTrue(Exit.isSuccess(twice.exit))
    assert.containsAllKeys(metricsOf(twice)[0]!, ["ce", "kd", "a", "b"])
  })

  it("that is not there, or has other options, is refused before any work", async () => {
    const refused = async (other: object, message: RegExp) => {
      const ended = await train({ others: [other] })
      assert.match(failureOf(ended), message)
      assert.deepEqual(metricsOf(ended), [])
      assert.isFalse(existsSync(join(ended.directory, "stages/01-qat")))
    }
    await refused({ use: "hinge" }, /no loss "hinge"; known losses: cross-entropy, cakld, strong, followed;/)
    await refused({ use: "strong", with: { strength: "much", part: "mine" } }, /options of loss "strong": .*strength/)
    await refused({ use: "strong", with: { strength: 1, part: "loss" } }, /calls its part "loss"/)
    const nothing = await train({ crossEntropy: 0, cakld: 0, others: [{ use: "followed", factor: 0 }] })
    assert.match(failureOf(nothing), /nothing would be learned/)
  })
})
