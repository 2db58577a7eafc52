/** Losses by their names: what a recipe may say of them, and what it may not. */
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import {
  crossEntropyLoss,
  decodeLoss,
  type Loss,
  LossOptionsInvalid,
  losses,
  UnknownLoss,
  weighted
} from "../src/index.ts"

const DoubledConfig = Schema.Struct({ labelSmoothing: Schema.Finite })
const doubled: Loss<typeof DoubledConfig.Type> = {
  id: "doubled",
  version: 1,
  description: "cross entropy, twice as strong",
  Config: DoubledConfig,
  needsTeacher: () => false,
  rowLoss: (config, context) => weighted(2, crossEntropyLoss.rowLoss(config, context))
}

const context = { confidence: 0.5 }
const labels = { values: Int32Array.of(-100, 1, 2), batch: 1, length: 3 }

describe("a loss", () => {
  it("is found by its name, its options completed", () => {
    const chosen = ["cross-entropy", "cakld"].map((use) => decodeLoss({ use }))
    assert.deepEqual(
      chosen.map(({ config }) => config),
      [{ labelSmoothing: 0 }, { temperature: 1, mask: "shifted", reduction: "sum" }]
    )
    assert.deepEqual(
      chosen.map(({ loss, config }) => loss.needsTeacher(config)),
      [false, true]
    )
    for (const { loss, config } of chosen) {
      assert.strictEqual(loss.rowLoss(config, context).needsTeacher, loss.needsTeacher(config))
    }
  })

  it("of one's own is one like ours", () => {
    const { loss, config } = decodeLoss({ use: "doubled", with: { labelSmoothing: 0.1 } }, [...losses, doubled])
    const [own, ours] = [loss.rowLoss(config, context), crossEntropyLoss.rowLoss({ labelSmoothing: 0.1 }, context)]
    assert.deepEqual(
      [...own.rowWeights(labels)],
      [...ours.rowWeights(labels)].map(([row, weight]) => [row, 2 * weight])
    )
  })

  it("that is not there is refused with those that are", () => {
    const refused = () => decodeLoss({ use: "hinge" }, [...losses, doubled])
    assert.throws(refused, UnknownLoss, /no loss "hinge"; known losses: cross-entropy, cakld, doubled; .*--plugin/)
  })

  it("is not given options that it does not have, nor values that they do not take", () => {
    const refused = (use: string, options: object, message: RegExp) =>
      assert.throws(() => decodeLoss({ use, with: options }, [...losses, doubled]), LossOptionsInvalid, message)
    refused("cakld", { temprature: 2 }, /options of loss "cakld": .*temprature/)
    refused("cakld", { temperature: 0 }, /temperature/)
    refused("cross-entropy", { labelSmoothing: 1.5 }, /labelSmoothing/)
    refused("doubled", {}, /labelSmoothing/)
  })
})
