/** Policy options of real stages: changed while a stage is begun, it continues with the new ones, and ends with the same bytes. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RunEvents } from "@speedq/pipeline"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { eventsOfKind, makeNanoRuns, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-policy-"))
const runs = makeNanoRuns()
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

interface Policies {
  readonly cache: string
  readonly featureCache: string
  readonly rematerialize: boolean
  readonly onError: "fail" | "substitute"
  readonly workers: number
  readonly everySteps: number
}
const roomy: Policies = {
  ...{ cache: "1 GiB", featureCache: "1 GiB", rematerialize: false },
  ...{ onError: "fail", workers: 2, everySteps: 1 }
}
const thrifty: Policies = {
  ...{ cache: "0 B", featureCache: "0 B", rematerialize: true },
  ...{ onError: "substitute", workers: 1, everySteps: 2 }
}

const recipe = (model: string, given: Policies) => {
  const { cache, featureCache, rematerialize, onError, workers, everySteps } = given
  const { adaround, projector, qat } = shortStages
  const policies = { featureCache, rematerialize, data: { ...qat.data, onError, workers } }
  const stages = [
    { ...adaround, count: 4, iterations: 4, cache },
    { ...projector, ...policies, maxSteps: 3 },
    { ...qat, ...policies, maxSteps: 2, loss: { confidenceBatches: 1 } }
  ]
  return { version: 1, name: "policy", model, seed: 5, save: { everySteps }, stages }
}

describe("policy options", () => {
  it("may change at every interruption, and no byte of the results does", async () => {
    const model = await writeNanoModel(join(root, "model"))
    const [whole, changing] = [join(root, "whole"), join(root, "changing")]
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(model, roomy), whole)).exit))

    const moments = [
      { policies: roomy, stage: "01-adaround-vit", step: 3 },
      { policies: thrifty, stage: "01-adaround-vit", step: 7 },
      { policies: roomy, stage: "02-train-projector", step: 1 },
      { policies: thrifty, stage: "03-qat", step: 2 }
    ]
    for (const { policies, ...moment } of moments) {
      const { exit } = await runs.run(recipe(model, policies), changing, moment)
      assert.isTrue(Exit.isFailure(exit), moment.stage)
    }
    const { exit, entries } = await runs.run(recipe(model, roomy), changing)
    assert.isTrue(Exit.isSuccess(exit))
    assert.isEmpty(eventsOfKind(RunEvents.StageSuperseded, entries))
    assert.deepStrictEqual(
      eventsOfKind(RunEvents.StageStarted, entries).map(({ from }) => from),
      [2]
    )
    assert.deepStrictEqual(resultsOf(changing), resultsOf(whole))
  })
})
