import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { acquireLock, RunLocked } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { hasPseudoTerminal, onTerminal } from "../../pipeline/test/support/pseudoTerminal.ts"
import { fails, json, works } from "./support/inProcess.ts"
import { speedqProgram, temporaryDirectory } from "./support/speedq.ts"

/** A run without stages, and a file that was left half written. */
const smallRun = (): { readonly directory: string; readonly leftover: string } => {
  const directory = join(temporaryDirectory(), "run")
  mkdirSync(directory)
  const startedAt = "2026-01-01T00:00:00.000Z"
  const record = { format: 2, recipe: {}, keys: {}, build: "b", surroundings: {}, startedAt, continuedAt: [] }
  writeFileSync(join(directory, "run.json"), JSON.stringify(record))
  const leftover = join(directory, ".report.html.tmp")
  writeFileSync(leftover, "x".repeat(2048))
  return { directory, leftover }
}

describe("speedq clean", () => {
  it("says what it would remove and how large that is, and removes it when it is told to", async () => {
    const { directory, leftover } = smallRun()
    const told = await works(["clean", directory])
    assert.include(told.stdout, `${directory} no longer uses 2 KiB:\n`)
    assert.match(told.stdout, /^\.report\.html\.tmp +left half written +2 KiB$/m)
    assert.match(told.stdout, /nothing was removed; --yes removes it\n$/)
    assert.isTrue(existsSync(leftover))
    const removed = await works(["clean", directory, "--yes"])
    assert.match(removed.stdout, /removed 2 KiB\n$/)
    assert.isFalse(existsSync(leftover))
    assert.deepStrictEqual(await json(["clean", directory]), {
      ...{ directory, removed: false, superfluous: [], foreign: [] }
    })
  })

  it.skipIf(!hasPseudoTerminal)("removes it where somebody at a terminal says yes", async () => {
    const { directory, leftover } = smallRun()
    const { code, text } = await onTerminal(speedqProgram(["clean", directory]), { when: "Remove it?", type: "y" })
    assert.strictEqual(code, 0, text)
    assert.include(text, "removed 2 KiB")
    assert.isFalse(existsSync(leftover))
  })

  it("touches no run that is at work, and nothing that is no run", async () => {
    const { directory, leftover } = smallRun()
    await Effect.gen(function* () {
      yield* acquireLock(directory)
      assert.instanceOf(yield* Effect.promise(() => fails(["clean", directory, "--yes"])), RunLocked)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise)
    assert.isTrue(existsSync(leftover))
    assert.match((await fails(["clean", join(directory, ".."), "--yes"])).message, /holds no run/)
  })
})
