import type { RunStatus, StageStatus } from "@speedq/pipeline"
import { assert, describe, it } from "vitest"
import { untoned } from "../src/command/tones.ts"
import { describeStatus } from "../src/recipes/describeStatus.ts"

const now = Date.UTC(2026, 0, 1)

const stage = (place: string, state: StageStatus["state"]): StageStatus => ({
  ...{ place, state, step: 4, savedStep: 4, steps: 9, loss: 0.5, left: 2500 },
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
  stages,
  ...{ seenAt: now - 180_000, elapsed: 90_000, progress: { share: undefined, left: undefined } },
  ...{ scores: undefined, runners: undefined }
})

const statusOf = (...of: Parameters<typeof describeStatus>): string => untoned(describeStatus(...of))

describe("the status of a run, in words", () => {
  it("names the stages whose results are stale, and what becomes of them", () => {
    const text = statusOf(run(stage("01-adaround-vit", "begun"), stage("02-train-projector", "stale")), now)
    assert.match(text, /^01-adaround-vit +begun +4\/9 +4 +2\.5 s +0\.5/m)
    assert.match(text, /^02-train-projector +stale +4\/9/m)
    assert.match(
      text,
      /\n\nstale: made before the recipe, its data or an earlier stage changed; will be computed again: 02-train-projector$/
    )
  })

  it("says on what else than before the run went on", () => {
    const at = "2026-01-02T03:04:05.000Z"
    const change = { at, field: "backend", before: '"gpujs:webgpu (nvidia)"', after: '"gpujs:webgpu (amd)"' }
    const begun = run(stage("01-qat", "begun"))
    const text = statusOf({ ...begun, record: { ...begun.record, changes: [change] } }, now)
    assert.match(
      text,
      /^changed on 2026-01-02 03:04:05 UTC, so bits may differ: backend: "gpujs:webgpu \(nvidia\)" -> "gpujs:webgpu \(amd\)"$/m
    )
    assert.notInclude(statusOf(begun, now), "changed")
  })

  it("says nothing of stale results where there are none", () => {
    assert.notInclude(statusOf(run(stage("01-adaround-vit", "finished")), now), "stale")
  })

  it("says how much is done, how long it took and still takes, and the scores so far", () => {
    const text = statusOf(
      {
        ...run(stage("01-evaluate", "finished"), stage("02-qat", "begun")),
        progress: { share: 0.425, left: 65_000 },
        scores: { _tag: "Table", title: "Evaluation", columns: ["model", "nano"], rows: [["full precision", 91.5]] }
      },
      now
    )
    assert.include(text, "\n42 %, 1 of 2 stages, worked for 1 min 30 s, about 1 min 5 s left\n")
    assert.match(text, /\n\nscores so far\nmodel +nano\nfull precision +91.5$/)
  })

  it("does not say that a process runs which cannot be seen", () => {
    const owner = { token: "t", pid: 7, host: "other", bootAndStart: null, since: "then", command: "speedq" }
    const text = statusOf({ ...run(stage("01-qat", "begun")), state: "unknown", owner }, now)
    assert.include(text, "last sign of life 3 min 0 s ago, from process 7 on other, which cannot be seen from here\n")
    assert.notInclude(text, "running")
  })
})
