/** A run.json that says what cannot be is no record, and no defect of whoever reads it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert } from "vitest"
import { readRunRecord } from "../src/directory/RunDirectory.ts"
import { runReport } from "../src/overview/runReport.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

const now = "2026-01-01T00:00:00.000Z"
const record = { format: 2, recipe: {}, keys: {}, build: "b", surroundings: {}, startedAt: now, continuedAt: [now] }

const runWith = (changed: object): string => {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, "run.json"), JSON.stringify({ ...record, ...changed }))
  return directory
}

describe("the record of a run", () => {
  it.effect("is none where a date in it cannot be read", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isSome(yield* readRunRecord(runWith({}))))
      for (const changed of [{ startedAt: "once" }, { startedAt: "" }, { continuedAt: [now, "+999999-01-01"] }]) {
        const directory = runWith(changed)
        assert.isTrue(Option.isNone(yield* readRunRecord(directory)))
        assert.isTrue(Option.isNone(yield* runReport(directory)))
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("is none where its recipe has more stages than anyone looks at", () =>
    Effect.gen(function* () {
      const stages = Array.from({ length: 200_000 }, () => ({ use: "qat" }))
      assert.isTrue(Option.isNone(yield* readRunRecord(runWith({ recipe: { stages } }))))
      assert.isTrue(Option.isSome(yield* readRunRecord(runWith({ recipe: { stages: stages.slice(0, 1000) } }))))
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("is none where its recipe is nested without end", () =>
    Effect.gen(function* () {
      const directory = runWith({ recipe: "@" })
      const file = join(directory, "run.json")
      const deep = "[".repeat(100_000) + "]".repeat(100_000)
      writeFileSync(file, readFileSync(file, "utf8").replace('"@"', deep))
      assert.isTrue(Option.isNone(yield* readRunRecord(directory)))
      assert.isTrue(Option.isNone(yield* runReport(directory)))
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
