/** What `status` tells of a run beside its stages: how much is done and left, who works on it, which runs a folder has. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert } from "vitest"
import { makeKey } from "../src/checkpoints/StageKey.ts"
import { type StageManifest, writeManifest } from "../src/checkpoints/StageManifest.ts"
import { runsBelow } from "../src/overview/runsBelow.ts"
import { status } from "../src/overview/status.ts"
import { expectedSeconds, FindsTimes } from "../src/plan/expectedSeconds.ts"
import { wholeRun } from "../src/plan/wholeRun.ts"
import * as Forecast from "../src/stage/Forecast.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

const begun = Date.UTC(2026, 0, 1)
const timeOf = (seconds: number) => new Date(begun + 1000 * seconds).toISOString()
const keyOf = (stage: string) => makeKey({ stage, version: 1, config: {}, versions: {}, seed: 1, inputs: {}, data: "" })
const places = ["01-first", "02-second", "03-third"]

const lines = (...events: ReadonlyArray<object>) => events.map((event) => `${JSON.stringify(event)}\n`).join("")

/** A run of three stages: the first is finished, the second has done steps 11 to 15 of 100, one each second. */
const runIn = Effect.fnUntraced(function* (directory: string, expectedSeconds: { readonly [place: string]: number }) {
  mkdirSync(directory, { recursive: true })
  const recipe = { name: "three", stages: ["first", "second", "third"].map((use) => ({ use })) }
  const keys = Object.fromEntries(places.map((place) => [place, keyOf(place).id]))
  const record = { format: 2, recipe, keys, build: "b", surroundings: {}, expectedSeconds }
  writeFileSync(
    join(directory, "run.json"),
    JSON.stringify({ ...record, startedAt: timeOf(-500), continuedAt: [timeOf(0)] })
  )
  const step = (at: number) => ({
    ...{ at: timeOf(at), event: "StepDone", stage: "02-second" },
    data: { step: 10 + at, steps: 100, metrics: { loss: 1 } }
  })
  const started = { at: timeOf(0), event: "StageStarted", stage: "02-second", data: { key: "k", from: 10, steps: 100 } }
  writeFileSync(join(directory, "events.jsonl"), lines(step(-400), started, ...[1, 2, 3, 4, 5].map(step)))
  const make = (place: string, rest: Pick<StageManifest, "steps" | "finished">) => {
    const stage = join(directory, "stages", place)
    mkdirSync(stage, { recursive: true })
    const { id, parts } = keyOf(place)
    return writeManifest(stage, { format: 2, key: id, parts, builds: [], checkpoints: [], ...rest })
  }
  yield* make("01-first", { steps: 4, finished: { steps: 4, artefacts: {}, files: [] } })
  const table = { _tag: "Table", title: "Evaluation", columns: ["model"], rows: [["full"]] }
  writeFileSync(join(directory, "stages", "01-first", "report.json"), JSON.stringify([table]))
  yield* make("02-second", { steps: 100, finished: null })
})

const statusOf = (directory: string) => Effect.map(status(directory), Option.getOrThrow)
const platform = Effect.provide(NodeServices.layer)

describe("the whole run", () => {
  it.live("has a share and a time left where the times of its stages are known, and the scores so far", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* runIn(directory, { "01-first": 10, "02-second": 80, "03-third": 110 })
      const { progress, stages, elapsed, scores, state } = yield* statusOf(directory)
      assert.strictEqual(stages[1]?.left, 85_000)
      assert.deepStrictEqual(progress, { share: (10 + 80 * 0.15) / 200, left: 85_000 + 110_000 })
      assert.strictEqual(elapsed, 5000)
      assert.deepStrictEqual(scores?.rows, [["full"]])
      assert.strictEqual(state, "stopped")
    }).pipe(platform)
  )

  it.live("has neither where they are not, and only the stage at work has a time left", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* runIn(directory, { "01-first": 10, "02-second": 80 })
      const { progress, stages } = yield* statusOf(directory)
      assert.deepStrictEqual(progress, { share: undefined, left: undefined })
      assert.strictEqual(stages[1]?.left, 85_000)
    }).pipe(platform)
  )

  it("takes the expected time of a stage that has not begun, and none of one that is finished", () => {
    const parts = [
      { share: 1, seconds: undefined },
      { share: 0.5, seconds: 10, left: 3000 },
      { share: 0, seconds: 7 }
    ]
    assert.deepStrictEqual(wholeRun(parts), { share: undefined, left: 10_000 })
    assert.strictEqual(wholeRun([{ share: 0.25, seconds: 8 }]).left, 6000)
  })
})

describe("the times of a run's stages", () => {
  const plan = (...finished: ReadonlyArray<boolean>) => ({
    ...{ problems: [], memoryBytes: 0, memoryLimitBytes: 0, diskBytes: 0, diskFreeBytes: 0, seconds: 0 },
    stages: finished.map((each) => ({
      ...{ place: "01-toy", finished: each, stale: undefined, bytes: 0 },
      forecast: Forecast.make({ time: Effect.succeed({ seconds: 4, lines: [] }) })
    }))
  })

  it.live("are found where they are wanted, and not for a run that is finished", () =>
    Effect.gen(function* () {
      const wanted = Effect.provideService(FindsTimes, true)
      assert.deepStrictEqual(yield* wanted(expectedSeconds(plan(true, false))), [4, 4])
      assert.deepStrictEqual(yield* wanted(expectedSeconds(plan(true, true))), [undefined, undefined])
      assert.deepStrictEqual(yield* expectedSeconds(plan(false)), [undefined])
    }).pipe(platform)
  )
})

describe("a run of another machine", () => {
  it.live("is not said to run: its last sign of life is told, and after the lease it has stopped", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      yield* runIn(directory, {})
      const lock = join(directory, "run.lock")
      const owner = { token: "t", pid: 1, host: "elsewhere", bootAndStart: null, since: timeOf(0), command: "speedq" }
      writeFileSync(lock, JSON.stringify(owner))
      const renewed = new Date(Math.floor(Date.now() / 1000) * 1000 - 120_000)
      utimesSync(lock, renewed, renewed)
      const now = yield* statusOf(directory)
      assert.deepStrictEqual([now.state, now.seenAt, now.owner?.host], ["unknown", renewed.getTime(), "elsewhere"])
      const old = new Date(renewed.getTime() - 600_000)
      utimesSync(lock, old, old)
      assert.strictEqual((yield* statusOf(directory)).state, "stopped")
    }).pipe(platform)
  )
})

describe("a folder of runs", () => {
  it.live("lists runs and those of ablations in the order of their names, and nothing inside of a run", () =>
    Effect.gen(function* () {
      const folder = temporaryDirectory()
      const names = ["plain", "ablation/CE/seed-2", "ablation/CE/seed-10"]
      for (const name of names) yield* runIn(join(folder, name), {})
      yield* runIn(join(folder, "plain", "model"), {})
      const runs = yield* runsBelow(folder)
      assert.deepStrictEqual(
        runs.map(({ directory }) => directory),
        ["ablation/CE/seed-2", "ablation/CE/seed-10", "plain"].map((name) => join(folder, name))
      )
    }).pipe(platform)
  )
})
