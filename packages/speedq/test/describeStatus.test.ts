import type { RunStatus, StageStatus } from "@speedq/pipeline"
import { assert, describe, it } from "vitest"
import { describeStatus } from "../src/recipes/describeStatus.ts"

const stage = (place: string, state: StageStatus["state"]): StageStatus => ({
  ...{ place, state, step: 4, savedStep: 4, steps: 9, loss: 0.5 },
  ...{ key: "a", builds: ["one"], keptBytes: 2048 }
})

const run = (...stages: readonly StageStatus[]): RunStatus => ({
  directory: "runs/mine",
  state: "interrupted",
  message: undefined,
  record: {
    ...{ format: 2, recipe: {}, keys: {}, build: "one", surroundings: {} },
    ...{ startedAt: "2026-01-01T00:00:00.000Z", continuedAt: [] }
  },
  owner: undefined,
  stages
})

describe("the status of a run, in words", () => {
  it("names the stages whose results are stale, and what becomes of them", () => {
    const text = describeStatus(run(stage("01-adaround-vit", "begun"), stage("02-train-projector", "stale")))
    assert.match(text, /^01-adaround-vit +begun +4\/9 +4 +0.5/m)
    assert.match(text, /^02-train-projector +stale +4\/9/m)
    assert.match(
      text,
      /\n\nstale: made before the recipe, its data or an earlier stage changed; will be computed again: 02-train-projector$/
    )
  })

  it("says nothing of stale results where there are none", () => {
    assert.notInclude(describeStatus(run(stage("01-adaround-vit", "finished"))), "stale")
  })
})
