/** A person who stops an answer. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterAll, assert, it } from "vitest"
import { LinesUndone } from "../src/Errors.ts"
import { converse } from "../src/models/converse.ts"
import { randomNano } from "./support/smallRun.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-converse-"))
const model = await randomNano(directory)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it("a script learns at the end which lines came to nothing", async () => {
  const remarks: string[] = []
  const request = {
    model,
    maxNewTokens: 2,
    maxTiles: 1,
    maxPixels: undefined,
    temperature: undefined,
    topP: 1,
    seed: 0
  }
  const talk = (...lines: readonly string[]) =>
    converse([], request, "native:none", {
      watches: false,
      lines: Stream.fromIterable(lines),
      stops: Effect.never,
      piece: () => Effect.void,
      remark: (text) => Effect.sync(() => void remarks.push(text)),
      wait: Effect.void
    }).pipe(Effect.provide(NodeServices.layer))
  const failure = await Effect.runPromise(Effect.flip(talk("/image none.png", "Hello", "/nonsense", "/help")))
  assert.instanceOf(failure, LinesUndone)
  assert.strictEqual(failure.message, "2 lines were not done, for the reasons above; the others were")
  assert.isTrue(remarks.some((text) => text.includes("none.png")))
  await Effect.runPromise(talk("Hello", "/reset"))
})

it("an answer that is stopped ends there, and the next question is asked", async () => {
  const [answers, remarks]: [string[], string[]] = [[""], []]
  const program = Effect.gen(function* () {
    const stopped = yield* Deferred.make<void>()
    let pieces = 0
    yield* converse(
      [],
      { model, maxNewTokens: 64, maxTiles: 1, maxPixels: undefined, temperature: undefined, topP: 1, seed: 0 },
      "native:none",
      {
        watches: true,
        lines: Stream.make("Begin", "Go on"),
        // The first answer alone.
        stops: Effect.andThen(
          Deferred.await(stopped),
          Effect.suspend(() => (answers.length === 1 ? Effect.void : Effect.never))
        ),
        piece: (text) =>
          Effect.suspend(() => {
            answers[answers.length - 1] += text
            if (text === "\n") answers.push("")
            return ++pieces === 3 ? Effect.asVoid(Deferred.succeed(stopped, undefined)) : Effect.void
          }),
        remark: (text) => Effect.sync(() => void remarks.push(text)),
        wait: Effect.void
      }
    )
  })
  await Effect.runPromise(program.pipe(Effect.provide(NodeServices.layer)))
  const [first, second, ...rest] = answers
  assert.deepStrictEqual(rest, [""])
  assert.isBelow(first!.length, second!.length)
  assert.isNotEmpty(first!.trim())
  assert.strictEqual(remarks.length, 1)
})
