/** What a log tells of the time that was spent on a result. */
import { assert, describe, it } from "vitest"
import type { LoggedEvent } from "../src/events/readEvents.ts"
import { stageHistories } from "../src/overview/stageHistory.ts"

const logged = (at: number, tag: string, data: object, stage: string | undefined = "01-count"): LoggedEvent => ({
  at,
  stage,
  tag,
  warning: undefined,
  data: data as never
})
const begun = (at: number) =>
  logged(at, "RunStarted", { name: "x", stages: ["01-count"], continued: at > 0 }, undefined)
const started = (at: number, from: number) => logged(at, "StageStarted", { key: "key", from, steps: 4 })
const step = (at: number, done: number) => logged(at, "StepDone", { step: done, steps: 4, metrics: {} })
const finished = (at: number, milliseconds: number) => logged(at, "StageFinished", { steps: 4, milliseconds, bytes: 1 })

const timeOf = (events: readonly LoggedEvent[]) => stageHistories(events).get("key")?.milliseconds

describe("the time of a stage", () => {
  it("is what its end tells: what comes before its first step is part of it", () => {
    assert.strictEqual(timeOf([begun(0), started(700, 0), step(800, 1), finished(1000, 990)]), 990)
  })

  it("is that of all processes that worked on it, as far as they tell", () => {
    const first = [begun(0), started(700, 0), step(800, 1), step(900, 2)]
    assert.strictEqual(timeOf(first), 200)
    assert.strictEqual(timeOf([...first, begun(5000), started(5300, 2), step(5400, 3), finished(5600, 590)]), 790)
  })
})
